"""The events of a video as JSON lines: the keys of the MQTT contract, with seconds into it for the wall clock."""

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from fer_edge.mqtt.payloads import SCHEMA, Fractions
from fer_edge.mqtt.rounding import box_fractions, fraction, score_table, seconds
from fer_edge.types import Event, Verdict


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

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
    """The pipeline's publisher: each event is a line, in a file where one is asked for. Keeps the events as well."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        """Writes it down."""
        self.events.append(event)
        if self._file is not None:
            self._file.write(msgspec.json.encode(line(event, len(self.events))) + b"\n")

    def seen(self, verdicts: Sequence[Verdict], now: float) -> None:
        """What is seen in each frame is the score table's subject."""

    def nobody(self, now: float) -> None:
        """The same."""


def line(event: Event, seq: int) -> EventLine:
    """The event as it is written, number ``seq``."""
    return EventLine(
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
