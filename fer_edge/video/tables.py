"""Tables of a video: events as JSON lines, and scores of each face in each frame as CSV for `fer-edge tune`."""

from collections.abc import Sequence
from typing import BinaryIO, TextIO

import msgspec

from fer_edge.events.lifecycle import Decision
from fer_edge.mqtt.payloads import SCHEMA, Fractions, box_fractions, fraction, score_table, seconds
from fer_edge.pipeline import PipelineObserver
from fer_edge.recording.format import Origin, Step, StepKind, opening, rows
from fer_edge.types import Event, Face, FaceState, Frame


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """Line of the event file."""

    schema: int = SCHEMA
    seq: int  # counts up by one from 1
    event_type: str
    at_s: float  # seconds from the video's beginning
    face: int
    emotion: str | None
    confidence: float
    previous: str | None
    scores: dict[str, float]
    box: Fractions
    duration_s: float | None
    reason: str | None


class EventFile:
    """Publisher of the pipeline that writes each event as a line, if there is a file, and keeps all events."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        """Write an event."""
        self.events.append(event)
        if self._file is not None:
            self._file.write(msgspec.json.encode(line(event, len(self.events))) + b"\n")

    def seen(self, states: Sequence[FaceState], now: float) -> None:
        """Ignored: the score table has the states of each frame."""

    def nobody(self, now: float) -> None:
        """Ignored."""


def line(event: Event, seq: int) -> EventRow:
    """Return the line of an event with number ``seq``."""
    return EventRow(
        seq=seq,
        event_type=event.kind.value,
        at_s=seconds(event.at),
        face=event.face,
        emotion=event.emotion,
        confidence=fraction(event.confidence),
        previous=event.previous,
        scores=score_table(event.scores),
        box=box_fractions(event.box),
        duration_s=None if event.duration_s is None else seconds(event.duration_s),
        reason=event.reason,
    )


class ScoreTable(PipelineObserver):
    """Pipeline observer that writes the score table; the caller closes the file."""

    def __init__(self, file: TextIO, origin: Origin) -> None:
        self._file = file
        file.write(opening(origin))

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Write a row for each face, or one without a face."""
        step = Step(StepKind.FRAME, now, tuple(faces), number=frame.number)
        self._file.write(rows(step, decision.in_frame))

    def on_close(self, _events: Sequence[Event], reason: str, now: float) -> None:
        """Write a row."""
        self._file.write(rows(Step(StepKind.CLOSED, now, reason=reason)))
