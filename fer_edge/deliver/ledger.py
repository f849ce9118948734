"""The page of this boot, kept in a file in memory: it outlives the process, and costs no write to a disk.

The file is mapped, so that a note is a few bytes copied and no call to the system: numbers are eight bytes at a time,
and the list of open faces, which is longer, is written to the half that is not in use before it is named as valid. So
whatever moment SIGKILL chooses, what can be read is what was noted last, or just before. While its daemon lives the
file is locked, and nobody takes it for a dead one's.
"""

import contextlib
import fcntl
import glob
import logging
import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import msgspec

from fer_edge.deliver.page import OpenFaces, Page, decode_faces
from fer_edge.untrusted import open_regular
from fer_edge.values import Event, Message

logger = logging.getLogger(__name__)

MAGIC = b"fer-edge ledger1"
_HEAD = struct.Struct("<16s8sQ")  # magic, boot, number
_NUMBER, _MADE, _ACKNOWLEDGED, _ALIVE, _FACES = 24, 32, 40, 48, 72  # offsets; _ALIVE: wall clock, uptime, synced
_COUNT, _LIFE, _TEXT = struct.Struct("<Q"), struct.Struct("<ddQ"), struct.Struct("<QQ")  # _TEXT: size, crc32
_HALVES = 128
HALF_BYTES = 512 * 1024  # about 800 faces
SUFFIX = ".ledger"


class Ledger:
    """The main thread owns it; `acknowledged` alone is called by the link's thread. Without a folder it is nowhere.

    ``boot`` has eight characters; ``name`` tells the ledgers of several daemons on one machine apart.
    """

    def __init__(self, folder: Path | None, name: str, boot: str, number: int) -> None:
        self._boot, self._number = boot, number
        self._made = self._acknowledged = 0
        self._faces = OpenFaces()
        self._faces_json = b"[]"
        self._life = (0.0, 0.0, False)
        self._half = 0
        self._map: mmap.mmap | None = None
        self._file: BinaryIO | None = None  # stays open: it holds the lock
        self.path = None if folder is None else folder / f"{name}.{boot}{SUFFIX}"
        if self.path is not None:
            self._begin(self.path)

    def made(self, event: Event | None, message: Message, uptime_s: float) -> None:
        """An event has its number; to be called before anybody else sees it. None: it is about no face."""
        assert message.seq is not None
        if event is not None:
            self._faces.take(event, message, uptime_s, self._acknowledged)
            self._faces_json = self._faces.json()
            self._write_faces()
        self._made = message.seq
        self._write(_MADE, _COUNT.pack(message.seq))

    def acknowledged(self, seq: int) -> None:
        """Up to there nothing waits any more."""
        self._acknowledged = seq
        self._write(_ACKNOWLEDGED, _COUNT.pack(seq))

    def alive(self, wall_s: float, uptime_s: float, *, synced: bool) -> None:
        """We still live."""
        self._life = (wall_s, uptime_s, synced)
        self._write(_ALIVE, _LIFE.pack(wall_s, uptime_s, synced))

    def page(self, *, exact: bool) -> Page:
        """What is noted now; any thread may ask."""
        wall_s, uptime_s, synced = self._life
        acknowledged, made, faces = self._acknowledged, self._made, self._faces_json
        return Page(
            boot=self._boot,
            number=self._number,
            made=made,
            acknowledged=acknowledged,
            alive_at=wall_s,
            alive_uptime_s=uptime_s,
            synced=synced,
            faces=decode_faces(faces),
            exact=exact,
        )

    def renumber(self, number: int) -> None:
        """There were more boots before this one than was known; any thread may say so."""
        self._number = max(self._number, number)
        self._write(_NUMBER, _COUNT.pack(self._number))

    def close(self, *, forget: bool) -> None:
        """Ends it; ``forget``: the boot left nothing open."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._file is not None:
            self._file.close()
            self._file = None
            if forget and self.path is not None:
                _remove(self.path)

    def _begin(self, path: Path) -> None:
        """Makes the file; where that cannot be done the daemon lives without, and says once what that costs."""
        try:
            self._file = path.open("w+b")
            path.chmod(0o600)
            self._map = _create(self._file, self._boot, self._number)
        except OSError as error:
            logger.warning(
                "no notes can be kept in %s (%s): should the daemon be killed, the next one cannot tell what was lost",
                path.parent,
                error.strerror,
            )
            self.close(forget=True)

    def _write_faces(self) -> None:
        text = self._faces_json
        if len(text) + _TEXT.size > HALF_BYTES:
            return
        self._half = 1 - self._half
        offset = _HALVES + self._half * HALF_BYTES
        self._write(offset, _TEXT.pack(len(text), zlib.crc32(text)) + text)
        self._write(_FACES, _COUNT.pack(offset))

    def _write(self, offset: int, data: bytes) -> None:
        if self._map is not None:
            self._map[offset : offset + len(data)] = data


def read_ledgers(folder: Path, name: str) -> list[Page]:
    """The pages of this daemon's earlier boots that are noted in the folder, oldest first; what is none is removed."""
    pages = []
    for path in folder.glob(f"{glob.escape(name)}.*{SUFFIX}"):
        try:
            with open_regular(path) as file:
                if not _is_dead(file):
                    continue
                page = _read(file.read(_HALVES + 2 * HALF_BYTES))
        except OSError as error:
            logger.warning("%s: cannot be read: %s; passed over", path, error.strerror)
            continue
        if page is None:
            _remove(path)
        else:
            pages.append(page)
    return sorted(pages, key=lambda page: page.number)


def remove_ledger(folder: Path, name: str, boot: str) -> None:
    """Everything of that boot is said."""
    _remove(folder / f"{name}.{boot}{SUFFIX}")


def _remove(path: Path) -> None:
    """In a folder that cannot be written it stays: the next boot says the same once more, under the same ids."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _create(file: BinaryIO, boot: str, number: int) -> mmap.mmap:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Every byte has its place now: where a mapped file has none left when it is written to, the kernel sends SIGBUS.
    os.posix_fallocate(file.fileno(), 0, _HALVES + 2 * HALF_BYTES)
    mapped = mmap.mmap(file.fileno(), 0)
    mapped[_HALVES : _HALVES + _TEXT.size + 2] = _TEXT.pack(2, zlib.crc32(b"[]")) + b"[]"
    mapped[_FACES : _FACES + _COUNT.size] = _COUNT.pack(_HALVES)
    mapped[: _HEAD.size] = _HEAD.pack(MAGIC, boot.encode(), number)  # last: without it the file says nothing
    return mapped


def _is_dead(file: BinaryIO) -> bool:
    """Whether the daemon that wrote it lives no more."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(data: bytes) -> Page | None:
    with contextlib.suppress(ValueError, OverflowError, RecursionError, struct.error, msgspec.MsgspecError):
        magic, boot, number = _HEAD.unpack_from(data)
        (offset,) = _COUNT.unpack_from(data, _FACES)
        size, checksum = _TEXT.unpack_from(data, offset)
        text = data[offset + _TEXT.size :][:size]
        if magic != MAGIC or zlib.crc32(text) != checksum:
            return None
        wall_s, uptime_s, synced = _LIFE.unpack_from(data, _ALIVE)
        (made,), (acknowledged,) = _COUNT.unpack_from(data, _MADE), _COUNT.unpack_from(data, _ACKNOWLEDGED)
        return Page(
            boot=boot.rstrip(b"\0").decode(),
            number=number,
            made=made,
            acknowledged=acknowledged,
            alive_at=wall_s,
            alive_uptime_s=uptime_s,
            synced=bool(synced),
            faces=decode_faces(text),
        )
    return None
