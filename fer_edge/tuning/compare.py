"""Two lists of events beside each other: what other settings would have told, and what not."""

from collections.abc import Sequence
from dataclasses import dataclass

from fer_edge.types import Event

SAME_S = 0.02  # closer than any two frames: told at the same time
NEAR_S = 5.0  # the same thing told earlier or later; further apart it is another


@dataclass(frozen=True, slots=True)
class Comparison:
    """Each event of either side is in exactly one of these."""

    kept: tuple[Event, ...]
    moved: tuple[tuple[Event, Event], ...]  # as it was, as it would be
    new: tuple[Event, ...]
    gone: tuple[Event, ...]


def compare(before: Sequence[Event], after: Sequence[Event]) -> Comparison:
    """Pairs events of the same face, kind and expression, the nearest in time first."""
    alike: dict[tuple[int, str, str | None], list[int]] = {}
    for j, event in enumerate(after):
        alike.setdefault(_what(event), []).append(j)
    near = sorted(
        (abs(one.at - after[j].at), i, j)
        for i, one in enumerate(before)
        for j in alike.get(_what(one), ())
        if abs(one.at - after[j].at) <= NEAR_S
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in near:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    matched = sorted(pairs.items())
    return Comparison(
        kept=tuple(before[i] for i, j in matched if _same_time(before[i], after[j])),
        moved=tuple((before[i], after[j]) for i, j in matched if not _same_time(before[i], after[j])),
        new=tuple(event for j, event in enumerate(after) if j not in taken),
        gone=tuple(event for i, event in enumerate(before) if i not in pairs),
    )


def _what(event: Event) -> tuple[int, str, str | None]:
    return event.face, event.kind, event.emotion


def _same_time(one: Event, other: Event) -> bool:
    return abs(one.at - other.at) <= SAME_S
