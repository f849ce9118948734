"""Shared state of the page: the main thread writes the latest frame, faces and events; request threads read them."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any

from fer_edge.config.model import DecideSettings, Zone
from fer_edge.events.lifecycle import Decision
from fer_edge.recording.format import Part, Recording, Step, StepKind
from fer_edge.types import Event, Face, FaceState, Frame, Image, Outcome

RATE_WINDOW_S = 5.0
KEPT_EVENTS = 100
# Bound of the kept steps at any frame rate: about 1 KB each with a face.
MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PublishedEvent:
    """Event with its number on the page and its time."""

    number: int
    event: Event
    wall: float  # seconds since 1970


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Snapshot for the viewers."""

    number: int  # incremented with every change
    image: Image | None  # the latest frame; None before the first, and while the camera is lost
    faces: tuple[FaceState, ...]
    camera: str  # state
    camera_reason: str
    link: str  # state of the broker connection, one line
    connected: bool


@dataclass(frozen=True, slots=True)
class StoredOverrides:
    """Run-time overrides as the page shows them."""

    revision: int  # incremented with every change
    values: Mapping[str, Any]
    zones: tuple[Zone, ...]  # privacy zones that are in force from the next start
    place: str  # path of the overrides file; empty: memory only


class LiveState:
    """Pipeline observer that publishes snapshots to the request threads.

    Thread-safe. The main thread writes, any thread reads; the lock is held for a few assignments only.
    """

    def __init__(
        self,
        decide: DecideSettings,
        lost_s: float,
        minutes: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._wall = clock, wall
        self._changed = Condition()
        self._view = View(0, None, (), "opening", "", "not connected yet", connected=False)
        self._decide, self._lost_s = decide, lost_s
        self._span_s = minutes * 60.0
        self._steps: deque[Step] = deque(maxlen=MOST_STEPS)
        self._events: deque[PublishedEvent] = deque(maxlen=KEPT_EVENTS)
        self._numbered = 0
        self._outcomes: Counter[Outcome] = Counter()
        self._frames = 0
        self._latencies: deque[tuple[float, float]] = deque()  # (time, latency) of the last RATE_WINDOW_S
        self._health: dict[str, object] = {}
        self._overrides = StoredOverrides(0, {}, (), "")

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Publish a frame with its faces and events."""
        done_at = self._clock()
        with self._changed:
            self._keep(Step(StepKind.FRAME, now, tuple(faces), number=frame.number), decision.events)
            self._frames += 1
            self._outcomes.update(face.outcome for face in decision.in_frame)
            self._latencies.append((done_at, done_at - frame.captured_at))
            self._show(image=frame.image, faces=decision.in_frame)

    def on_tick(self, decision: Decision, now: float) -> None:
        """Publish the events of a tick without a frame."""
        with self._changed:
            self._keep(Step(StepKind.TICK, now), decision.events)
            self._show(faces=())

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        """Publish the end of all tracks."""
        with self._changed:
            self._keep(Step(StepKind.CLOSED, now, reason=reason), events)
            self._show(faces=())

    def states(self, camera: str, camera_reason: str, link: str, *, connected: bool) -> None:
        """Set camera and broker state; the frame of a camera that is not running is removed."""
        with self._changed:
            view = self._view
            if (camera, camera_reason, link) == (view.camera, view.camera_reason, view.link):
                return
            image = view.image if camera in ("running", "ended") else None
            self._view = View(view.number + 1, image, view.faces, camera, camera_reason, link, connected)
            self._changed.notify_all()

    def wake(self) -> None:
        """Wake all waiting threads, for the shutdown."""
        with self._changed:
            self._show(self._view.faces)

    def health(self, figures: dict[str, object]) -> None:
        """Set the latest health message."""
        with self._changed:
            self._health = figures

    def reconfigure(self, decide: DecideSettings, lost_s: float) -> None:
        """Apply changed settings."""
        with self._changed:
            self._decide, self._lost_s = decide, lost_s

    def set_overrides(self, values: Mapping[str, Any], zones: tuple[Zone, ...], place: str) -> None:
        """Set the overrides in force and stored."""
        before = self._overrides
        if (values, zones, place) != (before.values, before.zones, before.place):
            self._overrides = StoredOverrides(before.revision + 1, values, zones, place)

    @property
    def overrides(self) -> StoredOverrides:
        """The overrides in force and stored."""
        return self._overrides

    @property
    def view(self) -> View:
        """The latest snapshot."""
        return self._view

    @property
    def rules(self) -> tuple[DecideSettings, float]:
        """The settings in force, and `track.lost_s`."""
        with self._changed:
            return self._decide, self._lost_s

    def after(self, number: int, timeout_s: float) -> View:
        """Wait for a view newer than ``number``; return the latest after ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.number > number, timeout_s)
            return self._view

    def events_after(self, number: int) -> list[PublishedEvent]:
        """Return the kept events after ``number``, oldest first."""
        with self._changed:
            return [event for event in self._events if event.number > number]

    def figures(self) -> dict[str, object]:
        """Return rate and latency of the last seconds, and the faces in all frames since the start, by outcome."""
        with self._changed:
            since = self._clock() - RATE_WINDOW_S
            while self._latencies and self._latencies[0][0] < since:
                self._latencies.popleft()
            latencies = sorted(latency for _, latency in self._latencies)
            outcomes = {outcome.value: self._outcomes[outcome] for outcome in Outcome}
            health, frames = self._health, self._frames
        return {
            "frames": frames,
            "frame_rate_hz": round(len(latencies) / RATE_WINDOW_S, 1),
            "latency_ms": round(1000.0 * latencies[len(latencies) // 2], 1) if latencies else None,
            "faces": outcomes,
            "faces_seen": sum(outcomes.values()),
            "daemon": health,
        }

    def recording(self) -> Recording:
        """Return the scores of the last minutes, with the thresholds in force."""
        with self._changed:
            return Recording("the last minutes", (Part(tuple(self._steps), self._decide, self._lost_s),))

    def _keep(self, step: Step, events: Sequence[Event]) -> None:
        self._steps.append(step)
        while self._steps[0].now < step.now - self._span_s:
            self._steps.popleft()
        for event in events:
            self._numbered += 1
            self._events.append(PublishedEvent(self._numbered, event, self._wall()))

    def _show(self, faces: tuple[FaceState, ...], image: Image | None = None) -> None:
        view = self._view
        shown = view.image if image is None else image
        self._view = View(
            view.number + 1, shown, faces, view.camera, view.camera_reason, view.link, connected=view.connected
        )
        self._changed.notify_all()
