"""Every face in every frame as a row of numbers, for spreadsheets, for pandas, and for `fer-edge tune`."""

from collections.abc import Sequence
from typing import TextIO

from fer_edge.events.lifecycle import Decision
from fer_edge.recording.format import Origin, opening
from fer_edge.recording.rows import rows
from fer_edge.recording.steps import Step, StepKind
from fer_edge.types import Event, Face, Frame


class ScoreTable:
    """A witness that writes one table; the file stays the caller's."""

    def __init__(self, file: TextIO, origin: Origin) -> None:
        self._file = file
        file.write(opening(origin))

    def looked(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """A row for each face, one without a face for a frame without."""
        step = Step(StepKind.FRAME, now, tuple(faces), number=frame.number)
        self._file.write(rows(step, decision.in_frame))

    def waited(self, _decision: Decision, now: float) -> None:
        """A row."""
        self._file.write(rows(Step(StepKind.TICK, now)))

    def closed(self, _events: Sequence[Event], reason: str, now: float) -> None:
        """A row."""
        self._file.write(rows(Step(StepKind.CLOSED, now, reason=reason)))
