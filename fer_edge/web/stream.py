"""The annotated pictures, encoded once for all who watch, and not at all while nobody does."""

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Event, Lock, Thread
from typing import Any

import cv2
import msgspec

from fer_edge.annotate import annotate, placard, words
from fer_edge.types import Image
from fer_edge.web.live_state import LiveState, PublishedEvent, View
from fer_edge.web.whatif import rules_of

LIVE_HZ = 5.0  # how often numbers move; more is not read
LATEST_EVENTS = 10  # in every line; the page knows by their numbers which it has
BOUNDARY = b"fer-edge-picture"
QUALITY = 80  # JPEG's scale to 100: at 80 the eye sees no difference in a moving picture
PLACARD_PX = (640, 360)
# A still picture is sent again so often: a connection that broke is noticed only by writing to it.
REPEAT_S = 2.0


class StreamLimit:
    """Counts. Thread-safe; every request has a thread of its own."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many there are now."""
        return self._taken

    def take(self) -> bool:
        """Whether there was a free seat, which is taken now."""
        with self._lock:
            free = self._taken < self.limit
            self._taken += free
            return free

    def leave(self) -> None:
        """Gives a seat back."""
        with self._lock:
            self._taken -= 1


class SseFeed:
    """Thread-safe. A line of its own for each watcher would be made 25 times a second for five of them."""

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
        """The latest server-sent event, at most 1 / LIVE_HZ old; or a fresh one with all events that are kept."""
        if every_event:
            return self._made(self._stage.events_after(0))
        with self._lock:
            now = self._clock()
            if now - self._made_at >= 0.9 / LIVE_HZ:  # a little less, or half of the watchers would get it twice
                self._made_at = now
                self._line = self._made(self._stage.events_after(0)[-LATEST_EVENTS:])
            return self._line

    def _made(self, events: Sequence[PublishedEvent]) -> bytes:
        view = self._stage.view
        decide, _ = self._stage.rules
        moment = {
            "camera": {"state": view.camera, "reason": view.camera_reason},
            "link": {"text": view.link, "connected": view.connected},
            "faces": [
                {
                    "face": one.face,
                    "words": words(one),
                    "emotion": one.emotion,
                    "outcome": one.outcome.value,
                    "scores": [round(float(score), 3) for score in one.scores],
                }
                for one in view.verdicts
            ],
            "events": [_event(told) for told in events],
            "figures": self._stage.figures(),
            "rules": rules_of(decide),
            "watching": self._watching(),
        }
        return b"data: " + msgspec.json.encode(moment) + b"\n\n"


def _event(told: PublishedEvent) -> dict[str, Any]:
    event = told.event
    return {
        "number": told.number,
        "type": event.kind.value,
        "face": event.face,
        "emotion": event.emotion,
        "previous": event.previous,
        "confidence": round(event.confidence, 3),
        "duration_s": event.duration_s,
        "reason": event.reason,
        "wall": told.wall,
    }


class MjpegEncoder:
    """One encoder thread. `watch` is called by any number of request threads."""

    def __init__(
        self, stage: LiveState, rate_hz: float, width_px: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage = stage
        self._pause_s = 1.0 / rate_hz
        self._width_px = width_px
        self._clock = clock
        self._ready = Condition()
        self._watchers = 0
        self._jpeg = b""
        self._number = 0
        self._stopping = Event()
        self.encoded = 0  # since the start
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._guarded, name="preview-encoder", daemon=True)

    def start(self) -> None:
        """Begins to wait for watchers."""
        self._thread.start()

    def check(self) -> None:
        """Raise the exception that ended the encoder's thread, if there is one."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends the thread and every stream."""
        self._stopping.set()
        with self._ready:
            self._ready.notify_all()

    def watch(self) -> Iterator[bytes]:
        """The parts of a multipart/x-mixed-replace stream, the latest picture each time; ends when the daemon does.

        A watcher that reads slowly is given fewer pictures, never old ones.
        """
        with self._ready:
            self._watchers += 1
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
                self._watchers -= 1

    def _after(self, seen: int) -> tuple[bytes, int]:
        """The first picture after number ``seen``, or the same once more after REPEAT_S; and its number."""
        with self._ready:
            self._ready.wait_for(lambda: self._number > seen or self._stopping.is_set(), REPEAT_S)
            return self._jpeg, self._number

    def _guarded(self) -> None:
        """Encode, and keep whatever ends the thread for `check`: the page would stand still without a word."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - handed over to the main thread, nothing is swallowed
            self._failure = error

    def _run(self) -> None:
        shown = -1
        while not self._stopping.is_set():
            with self._ready:
                self._ready.wait_for(lambda: self._watchers > 0 or self._stopping.is_set())
            began = self._clock()
            view = self._stage.after(shown, REPEAT_S)
            if not self._stopping.is_set():
                self._encode(view)
            shown = view.number
            self._stopping.wait(max(0.0, began + self._pause_s - self._clock()))

    def _encode(self, view: View) -> None:
        written, data = cv2.imencode(".jpg", self._picture(view), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        assert written, "OpenCV encodes every BGR picture as JPEG"
        with self._ready:
            self._jpeg = data.tobytes()
            self._number += 1
            self.encoded += 1
            self._ready.notify_all()

    def _picture(self, view: View) -> Image:
        if view.image is None:
            return placard(*PLACARD_PX, [f"camera: {view.camera}", *_wrapped(view.camera_reason)])
        image = view.image
        height, width = image.shape[:2]
        if width > self._width_px:
            size = (self._width_px, round(height * self._width_px / width))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return annotate(image, view.verdicts)


def _part(jpeg: bytes) -> bytes:
    """A picture with its head and the boundary after it, without which Chromium shows each picture one too late."""
    head = b"Content-Type: image/jpeg\r\nContent-Length: " + str(len(jpeg)).encode() + b"\r\n\r\n"
    return head + jpeg + b"\r\n--" + BOUNDARY + b"\r\n"


def _wrapped(text: str, characters: int = 48) -> list[str]:
    return textwrap.wrap(text, characters)[:4]
