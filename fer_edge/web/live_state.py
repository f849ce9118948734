"""Where the main thread leaves what it sees and watchers find it: one slot, the newest wins, nobody waits."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import Decision
from fer_edge.recording.format import Part, Recording, Step, StepKind
from fer_edge.types import Event, Face, FaceState, Frame, Image, Outcome

RATE_WINDOW_S = 5.0
KEPT_EVENTS = 100
# Bound of the kept steps whatever the frame rate: about 1 KB each with a face in it.
MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PublishedEvent:
    """An event with its number on this page and when it was told."""

    number: int
    event: Event
    wall: float  # seconds since 1970


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Everything there is to be seen at a moment."""

    number: int  # counts up with every change
    image: Image | None  # the latest frame; None before the first, and while the camera is away
    verdicts: tuple[FaceState, ...]
    camera: str  # in one word
    camera_reason: str
    link: str  # the connection to the broker, in one line
    connected: bool


class LiveState:
    """A observer of the pipeline.

    Thread-safe: the main thread shows, any thread looks. What the main thread does here is a few assignments under a
    lock that nobody holds while working.
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
        self._told = 0
        self._outcomes: Counter[Outcome] = Counter()
        self._frames = 0
        self._looks: deque[tuple[float, float]] = deque()  # when, latency; of the last RATE_WINDOW_S
        self._health: dict[str, object] = {}

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Shows a frame with what was made of it."""
        done_at = self._clock()
        with self._changed:
            self._keep(Step(StepKind.FRAME, now, tuple(faces), number=frame.number), decision.events)
            self._frames += 1
            self._outcomes.update(verdict.outcome for verdict in decision.in_frame)
            self._looks.append((done_at, done_at - frame.captured_at))
            self._show(image=frame.image, verdicts=decision.in_frame)

    def on_tick(self, decision: Decision, now: float) -> None:
        """Shows that time passes without a frame."""
        with self._changed:
            self._keep(Step(StepKind.TICK, now), decision.events)
            self._show(verdicts=())

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        """Shows that everybody was said farewell to."""
        with self._changed:
            self._keep(Step(StepKind.CLOSED, now, reason=reason), events)
            self._show(verdicts=())

    def states(self, camera: str, camera_reason: str, link: str, *, connected: bool) -> None:
        """Notes how camera and broker are; the picture of a camera that is away is taken down."""
        with self._changed:
            view = self._view
            if (camera, camera_reason, link) == (view.camera, view.camera_reason, view.link):
                return
            image = view.image if camera in ("running", "ended") else None
            self._view = View(view.number + 1, image, view.verdicts, camera, camera_reason, link, connected)
            self._changed.notify_all()

    def wake(self) -> None:
        """Has all who wait look again: at the end there may be no other news."""
        with self._changed:
            self._show(self._view.verdicts)

    def health(self, figures: dict[str, object]) -> None:
        """Notes the latest health message."""
        with self._changed:
            self._health = figures

    def reconfigure(self, decide: DecideSettings, lost_s: float) -> None:
        """Other settings from now on."""
        with self._changed:
            self._decide, self._lost_s = decide, lost_s

    @property
    def view(self) -> View:
        """The latest."""
        return self._view

    @property
    def rules(self) -> tuple[DecideSettings, float]:
        """The settings in force, and `track.lost_s`."""
        with self._changed:
            return self._decide, self._lost_s

    def after(self, number: int, timeout_s: float) -> View:
        """The first view that is newer than ``number``, or after ``timeout_s`` the latest."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.number > number, timeout_s)
            return self._view

    def events_after(self, number: int) -> list[PublishedEvent]:
        """The kept events that are newer than ``number``, oldest first."""
        with self._changed:
            return [told for told in self._events if told.number > number]

    def figures(self) -> dict[str, object]:
        """Rate and latency of the last seconds, and every face in every frame since the start by what became of it."""
        with self._changed:
            since = self._clock() - RATE_WINDOW_S
            while self._looks and self._looks[0][0] < since:
                self._looks.popleft()
            latencies = sorted(latency for _, latency in self._looks)
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
        """The last minutes, as if they all had been decided by the settings in force now."""
        with self._changed:
            return Recording("the last minutes", (Part(tuple(self._steps), self._decide, self._lost_s),))

    def _keep(self, step: Step, events: Sequence[Event]) -> None:
        self._steps.append(step)
        while self._steps[0].now < step.now - self._span_s:
            self._steps.popleft()
        for event in events:
            self._told += 1
            self._events.append(PublishedEvent(self._told, event, self._wall()))

    def _show(self, verdicts: tuple[FaceState, ...], image: Image | None = None) -> None:
        view = self._view
        shown = view.image if image is None else image
        self._view = View(
            view.number + 1, shown, verdicts, view.camera, view.camera_reason, view.link, connected=view.connected
        )
        self._changed.notify_all()
