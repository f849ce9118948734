"""Streams of the page: annotated frames as MJPEG, encoded once for all viewers, and numbers as server-sent events."""

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Event, Lock, Thread
from typing import Any

import cv2
import msgspec

from fer_edge.annotate import annotate, label, placard
from fer_edge.config.runtime import leaves
from fer_edge.types import Image
from fer_edge.web.live_state import LiveState, PublishedEvent, View
from fer_edge.web.whatif import rules_of

LIVE_HZ = 5.0  # updates of the numbers; faster ones cannot be read
LATEST_EVENTS = 10  # in every line; the page drops repeated numbers
BOUNDARY = b"fer-edge-picture"
QUALITY = 80  # of JPEG, to 100: no visible difference in a moving image
PLACARD_PX = (640, 360)
# An unchanged frame is sent again after this time: a broken connection is detected only by writing.
REPEAT_S = 2.0


class StreamLimit:
    """Limit on concurrent streams. Thread-safe; every request has its own thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Number of open streams."""
        return self._taken

    def acquire(self) -> bool:
        """Acquire a stream; return False at the limit."""
        with self._lock:
            free = self._taken < self.limit
            self._taken += free
            return free

    def release(self) -> None:
        """Release a stream."""
        with self._lock:
            self._taken -= 1


class SseFeed:
    """Feed of server-sent events. Thread-safe; one line is encoded for all viewers."""

    def __init__(
        self, stage: LiveState, watching: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage = stage
        self._watching = watching
        self._clock = clock
        self._lock = Lock()
        self._made_at = float("-inf")
        self._line = b""

    def line(self, *, every_event: bool = False) -> bytes:
        """Return the latest server-sent event, at most 1 / LIVE_HZ old; or a new one with all kept events."""
        if every_event:
            return self._encoded(self._stage.events_after(0))
        with self._lock:
            now = self._clock()
            if now - self._made_at >= 0.9 / LIVE_HZ:  # 0.9: otherwise half of the viewers get each line twice
                self._made_at = now
                self._line = self._encoded(self._stage.events_after(0)[-LATEST_EVENTS:])
            return self._line

    def _encoded(self, events: Sequence[PublishedEvent]) -> bytes:
        view = self._stage.view
        decide, _ = self._stage.rules
        overrides = self._stage.overrides
        moment = {
            "camera": {"state": view.camera, "reason": view.camera_reason},
            "link": {"text": view.link, "connected": view.connected},
            "faces": [
                {
                    "face": one.face,
                    "words": label(one),
                    "emotion": one.emotion,
                    "outcome": one.outcome.value,
                    "scores": [round(float(score), 3) for score in one.scores],
                }
                for one in view.faces
            ],
            "events": [_event(published) for published in events],
            "figures": self._stage.figures(),
            "rules": rules_of(decide),
            "overrides": {"revision": overrides.revision, "keys": leaves(overrides.values)},
            "watching": self._watching(),
        }
        return b"data: " + msgspec.json.encode(moment) + b"\n\n"


def _event(published: PublishedEvent) -> dict[str, Any]:
    event = published.event
    return {
        "number": published.number,
        "type": event.kind.value,
        "face": event.face,
        "emotion": event.emotion,
        "previous": event.previous,
        "confidence": round(event.confidence, 3),
        "duration_s": event.duration_s,
        "reason": event.reason,
        "wall": published.wall,
    }


class MjpegEncoder:
    """JPEG encoder in its own thread. `watch` is called by any number of request threads."""

    def __init__(
        self, stage: LiveState, rate_hz: float, width_px: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage = stage
        self._pause_s = 1.0 / rate_hz
        self._width_px = width_px
        self._clock = clock
        self._ready = Condition()
        self._viewers = 0
        self._jpeg = b""
        self._number = 0
        self._stopping = Event()
        self.encoded = 0  # since the start
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._guarded, name="preview-encoder", daemon=True)

    def start(self) -> None:
        """Start the encoder thread."""
        self._thread.start()

    def check(self) -> None:
        """Raise the exception that ended the encoder's thread, if there is one."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop the thread and all streams."""
        self._stopping.set()
        with self._ready:
            self._ready.notify_all()

    def watch(self) -> Iterator[bytes]:
        """Yield the parts of a multipart/x-mixed-replace stream, each the latest frame, until `stop`.

        A slow viewer gets fewer frames, never old ones.
        """
        with self._ready:
            self._viewers += 1
            self._ready.notify_all()
        try:
            yield b"--" + BOUNDARY + b"\r\n"
            seen = 0
            while not self._stopping.is_set():
                jpeg, seen = self._after(seen)
                if jpeg and not self._stopping.is_set():
                    yield _part(jpeg)
        finally:
            with self._ready:
                self._viewers -= 1

    def _after(self, seen: int) -> tuple[bytes, int]:
        """Return the first JPEG after number ``seen``, or the same one after REPEAT_S; and its number."""
        with self._ready:
            self._ready.wait_for(lambda: self._number > seen or self._stopping.is_set(), REPEAT_S)
            return self._jpeg, self._number

    def _guarded(self) -> None:
        """Run the thread, and keep the exception that ends it for `check`."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._failure = error

    def _run(self) -> None:
        shown = -1
        while not self._stopping.is_set():
            with self._ready:
                self._ready.wait_for(lambda: self._viewers > 0 or self._stopping.is_set())
            began = self._clock()
            view = self._stage.after(shown, REPEAT_S)
            if not self._stopping.is_set():
                self._encode(view)
            shown = view.number
            self._stopping.wait(max(0.0, began + self._pause_s - self._clock()))

    def _encode(self, view: View) -> None:
        written, data = cv2.imencode(".jpg", self._annotated(view), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        assert written, "OpenCV encodes every BGR image as JPEG"
        with self._ready:
            self._jpeg = data.tobytes()
            self._number += 1
            self.encoded += 1
            self._ready.notify_all()

    def _annotated(self, view: View) -> Image:
        if view.image is None:
            return placard(*PLACARD_PX, [f"camera: {view.camera}", *_wrapped(view.camera_reason)])
        image = view.image
        height, width = image.shape[:2]
        if width > self._width_px:
            size = (self._width_px, round(height * self._width_px / width))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return annotate(image, view.faces)


def _part(jpeg: bytes) -> bytes:
    """Return a part with the boundary behind it; without it Chromium shows each frame one too late."""
    head = b"Content-Type: image/jpeg\r\nContent-Length: " + str(len(jpeg)).encode() + b"\r\n\r\n"
    return head + jpeg + b"\r\n--" + BOUNDARY + b"\r\n"


def _wrapped(text: str, characters: int = 48) -> list[str]:
    return textwrap.wrap(text, characters)[:4]
