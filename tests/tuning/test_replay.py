"""Replay of recorded steps."""

from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.recording.format import Part, Recording, Step, StepKind, header, rows, steps
from fer_edge.tuning.replay import faces_before, replay
from fer_edge.types import Box, Event, Face, Frame, RejectReason

BLACK = np.zeros((8, 8, 3), np.uint8)


class EventList:
    """Publisher that keeps its events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def seen(self, states, now) -> None: ...

    def nobody(self, now: float) -> None: ...


class TableObserver:
    """Observer that writes the steps as rows of a table, and reads them back."""

    def __init__(self) -> None:
        self.text = header()

    def on_frame(self, frame, faces, decision, now) -> None:
        self.text += rows(Step(StepKind.FRAME, now, tuple(faces), number=frame.number), decision.in_frame)

    def on_tick(self, decision, now) -> None:
        self.text += rows(Step(StepKind.TICK, now))

    def on_close(self, events, reason, now) -> None:
        self.text += rows(Step(StepKind.CLOSED, now, reason=reason))

    def steps(self) -> tuple[Step, ...]:
        return tuple(steps(self.text.splitlines(keepends=True)))


def facts(events: list[Event]) -> list[list[object]]:
    """All of every event, comparable to the last bit."""
    return [[list(v) if isinstance(v, np.ndarray) else v for v in msgspec.structs.astuple(event)] for event in events]


@st.composite
def sequences(draw) -> list[tuple[str, float, tuple[Face, ...]]]:
    """Frames, ticks and closes at uneven times, with two faces that appear, leave, blur and change."""
    now, sequence = 0.0, []
    seed = draw(st.integers(0, 2**31))
    random = np.random.default_rng(seed)
    first: dict[int, float] = {}
    for _ in range(draw(st.integers(5, 80))):
        now += float(random.choice([0.033, 0.1, 0.2, 0.7]))
        kind = str(random.choice(["frame", "frame", "frame", "frame", "tick", "closed"], p=[0.24] * 4 + [0.03, 0.01]))
        present = []
        for face in (1, 2):
            if kind == "frame" and random.random() < 0.8:
                first.setdefault(face, now)
                scores = random.dirichlet(np.full(7, 0.3)).astype(np.float32)
                reason = RejectReason.BLURRED if random.random() < 0.1 else None
                present.append(Face(face, Box(*random.random(4)), first[face], now, None if reason else scores, reason))
        sequence.append((kind, now, tuple(present)))
    return sequence


@settings(max_examples=60, deadline=None)
@given(sequences(), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.3, 0.9))
def test_unchanged_settings_give_exactly_the_recorded_events(sequence, smooth_s, dwell_s, enter) -> None:
    decide = DecideSettings(smooth_s=smooth_s, dwell_s=dwell_s, enter=enter, leave=enter / 2, arrive_s=0.3)
    publisher, table, queue = EventList(), TableObserver(), list(sequence)
    pipeline = Pipeline(lambda frame: queue[frame.number][2], EventDetector(decide, 1.0), publisher, [table])
    for number, (kind, now, _) in enumerate(sequence):
        if kind == "frame":
            pipeline.step(Frame(BLACK, now, number))
        elif kind == "tick":
            pipeline.idle(now)
        else:
            pipeline.close(now, "camera")
    pipeline.close(sequence[-1][1] + 0.1, "stopped")
    recording = Recording("table", (Part(table.steps(), decide, 1.0),))
    assert facts(replay(recording)) == facts(publisher.events)
    assert facts(replay(recording, decide)) == facts(publisher.events)


def happy(at: float, first_seen: float = 0.0, face: int = 1) -> Step:
    scores = np.array([0, 0, 0, 0.8, 0, 0, 0.2], np.float32)
    return Step(StepKind.FRAME, at, (Face(face, Box(0, 0, 1, 1), first_seen, at, scores),), number=round(at * 10))


def test_higher_threshold_gives_fewer_events() -> None:
    sequence = tuple(happy(number / 10) for number in range(30))
    recording = Recording("x", (Part(sequence, DecideSettings(), 2.0),))
    assert [event.emotion for event in replay(recording)] == ["happy"]
    assert [event.emotion for event in replay(recording, DecideSettings(enter=0.9, leave=0.9))] == [None]


def test_reloaded_settings_apply_from_then_on() -> None:
    sequence = tuple(happy(number / 10) for number in range(40))
    strict = DecideSettings(enter=0.9, leave=0.9)
    recording = Recording("x", (Part(sequence[:20], strict, 2.0), Part(sequence[20:], DecideSettings(), 2.0)))
    events = replay(recording)
    assert [event.emotion for event in events] == [None, "happy"]
    assert events[1].at >= 2.0


def test_faces_present_before_the_recording_are_left_out() -> None:
    sequence = tuple(happy(5 + number / 10, first_seen=4.9) for number in range(20))
    later = tuple(happy(8 + number / 10, first_seen=8.0, face=2) for number in range(20))
    recording = Recording("x", (Part(sequence + later, DecideSettings(), 2.0),))
    assert faces_before(recording) == {1}
    assert {event.face for event in replay(recording)} == {2}
    assert all(a.at <= b.at for a, b in pairwise(replay(recording)))
