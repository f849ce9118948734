"""JPEG images in a stream of bytes, found by their markers (ITU T.81, annex B). Pure.

Anything may lie between the images: MIME boundaries of any form, headers with a wrong length or none, text parts,
padding. None of it is parsed.
"""

import re

from fer_edge import MAX_PIXELS

MAX_IMAGE_BYTES = 16 * 1024 * 1024
MAX_SCANS = 64  # encoders write 10 in a progressive image; each scan costs a pass over all pixels

START = b"\xff\xd8\xff"
# In compressed data a marker is FF and what is neither stuffing (00), a restart (D0 to D7) nor filling (FF).
SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
MARK, SOI, EOI, SOS = 0xFF, 0xD8, 0xD9, 0xDA  # MARK begins each marker, and fills before one
FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG and DAC
BARE = {0x01, *range(0xD0, 0xD8)}  # TEM and restarts have no length
FRAME_HEADER_BYTES = 9  # marker, length, precision, height, width


class JpegError(ValueError):
    """The stream contains an image that is too large to be read; it cannot be read on."""


class JpegReader:
    """Splits a byte stream into complete images. Not thread-safe.

    Use: `feed` received data, then `take` until it returns None.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False  # the buffer begins with an image
        self._in_scan = False  # the position is in compressed data, else at a marker
        self._at = 0
        self._scans = 0
        # Where the search continues after a broken image: its last segment may have a wrong length and reach into the
        # next image; from further back its thumbnail would be found.
        self._resume = 0

    def feed(self, data: bytes) -> None:
        """Append ``data``. Raises JpegError where the current image is larger than MAX_IMAGE_BYTES."""
        if len(self._buffer) + len(data) > MAX_IMAGE_BYTES:
            raise JpegError(f"sends a frame of more than {MAX_IMAGE_BYTES >> 20} MiB")
        self._buffer += data

    def take(self) -> bytes | None:
        """Return the next complete image; None until more has arrived.

        Raises:
            JpegError: its header states more than MAX_PIXELS.
        """
        while self._find_start():
            end = self._walk()
            if end is None:
                return None
            if end:
                image = bytes(self._buffer[:end])
                self._drop(end)
                return image
            self._drop(self._resume)
        return None

    def _find_start(self) -> bool:
        """Discard data before the next start of an image; False if there is none yet."""
        if self._begun:
            return True
        start = self._buffer.find(START)
        if start < 0:
            del self._buffer[: -(len(START) - 1)]
            return False
        del self._buffer[:start]
        self._begun, self._in_scan, self._at, self._scans, self._resume = True, False, 2, 0, 2
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._begun = False

    def _walk(self) -> int | None:
        """Follow the segments; return the length of the image, 0 if it is broken, None until more has arrived."""
        while self._is_at_marker():
            at = self._at
            mark, marker = self._buffer[at : at + 2]
            if mark == MARK and marker == EOI:
                return at + 2
            if mark == MARK:
                self._resume = at if marker == SOI else at + 2
            length = self._length(marker) if mark == MARK else 0
            if not length:
                return length
            self._at += length
        return None

    def _is_at_marker(self) -> bool:
        """Advance the position over compressed data to the next marker; False until it has arrived."""
        if self._in_scan:
            found = SCAN_END.search(self._buffer, self._at)
            self._at = found.start() if found else max(self._at, len(self._buffer) - 1)
            self._in_scan = found is None
        return not self._in_scan and len(self._buffer) >= self._at + 2

    def _length(self, marker: int) -> int | None:
        """Bytes from the marker at the position to the next; 0 if it is broken, None until more has arrived."""
        if marker in (0, SOI):
            return 0
        if marker in BARE or marker == MARK:
            return 1 if marker == MARK else 2
        return self._segment(marker)

    def _segment(self, marker: int) -> int | None:
        """Bytes of the segment at the position with its marker; 0 if it is broken, None until more has arrived."""
        head = self._buffer[self._at : self._at + FRAME_HEADER_BYTES]
        if len(head) < FRAME_HEADER_BYTES:
            return None
        if marker in FRAME_HEADERS:
            height, width = int.from_bytes(head[5:7]), int.from_bytes(head[7:9])
            if height * width > MAX_PIXELS:
                raise JpegError(f"sends frames of {width}x{height} pixels, more than the limit of {MAX_PIXELS}")
        if marker == SOS:
            self._in_scan = True
            self._scans += 1
            if self._scans > MAX_SCANS:
                return 0
        length = int.from_bytes(head[2:4])
        return length + 2 if length >= 2 else 0  # noqa: PLR2004 - the length counts itself
