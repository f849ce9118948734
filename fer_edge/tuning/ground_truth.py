"""Ground truth: labels of a person, and the agreement of the events with them, in seconds."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import canonical
from fer_edge.errors import UserError, os_reason
from fer_edge.events.lifecycle import Decision
from fer_edge.recording.format import Recording, Step, StepKind
from fer_edge.tuning.replay import replay
from fer_edge.untrusted import read_regular

COLUMNS = ("from_s", "to_s", "emotion")
MAX_LABELS_BYTES = 16 * 1024 * 1024  # half a million spans
LONGEST_STEP_S = 0.5  # a frame counts for the time until the next, at most this


@dataclass(frozen=True, slots=True)
class Span:
    """Label: an expression between two times, in seconds from the beginning of the recording."""

    from_s: float
    to_s: float
    emotion: str
    face: int | None = None  # None: any face


@dataclass(frozen=True, slots=True)
class Score:
    """Seconds of faces within the labelled spans."""

    right_s: float  # held and labelled
    false_s: float  # held, but not labelled
    missed_s: float  # labelled, but not held

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        whole = 2 * self.right_s + self.false_s + self.missed_s
        return 2 * self.right_s / whole if whole else 0.0


def read_spans(path: Path) -> list[Span]:
    """Read a CSV file with the columns from_s, to_s, emotion and, optionally, face.

    Raises:
        UserError: it cannot be read; names the line and the problem.
    """
    try:
        text = read_regular(path, MAX_LABELS_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise UserError(f"{path}: there is no column {missing[0]}; required are {', '.join(COLUMNS)}")
        return [_span(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {os_reason(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is not CSV: {error}") from error


def score(recording: Recording, decide: DecideSettings, spans: Sequence[Span], emotion: str) -> Score:
    """Return the agreement for ``emotion`` within the spans; time outside of them does not count."""
    began = recording.began
    frames: list[tuple[float, list[tuple[int, str | None]]]] = []

    def on_step(step: Step, decision: Decision) -> None:
        if step.kind is StepKind.FRAME:
            frames.append((step.now - began, [(one.face, one.emotion) for one in decision.in_frame]))

    replay(recording, decide, on_step)
    right = false = missed = 0.0
    for (now, faces), (after, _) in pairwise(frames):
        step_s = min(after - now, LONGEST_STEP_S)
        for face, held in faces:
            labelled = _labelled(spans, now, face)
            if labelled is None:
                continue
            right += step_s * (held == emotion == labelled)
            false += step_s * (held == emotion != labelled)
            missed += step_s * (held != emotion == labelled)
    return Score(right, false, missed)


def _labelled(spans: Sequence[Span], now: float, face: int) -> str | None:
    """Return the labelled expression of the face, None without a label."""
    for span in spans:
        if span.from_s <= now < span.to_s and span.face in (None, face):
            return span.emotion
    return None


def _span(path: Path, line: int, row: dict[str, str]) -> Span:
    if any(row[name] is None for name in COLUMNS):  # csv's mark for a missing cell
        raise UserError(f"{path}:{line}: cannot be read: it needs {', '.join(COLUMNS)}")
    try:
        span = Span(
            float(row["from_s"]), float(row["to_s"]), row["emotion"], int(row["face"]) if row.get("face") else None
        )
    except ValueError as error:
        raise UserError(f"{path}:{line}: cannot be read: {error}") from error
    emotion = canonical(span.emotion)
    if emotion is None:
        raise UserError(f"{path}:{line}: {span.emotion!r} is not one of the seven expressions")
    if not span.from_s < span.to_s:
        raise UserError(f"{path}:{line}: from_s must be before to_s")
    return Span(span.from_s, span.to_s, emotion, span.face)
