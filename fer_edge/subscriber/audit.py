"""Whether a subscriber has every event: what docs/mqtt.md promises, checked on what arrived. Pure.

Events of one boot count up by one. The first copy of each comes in that order; a later copy is the same event under
the same id; what will never come is named by a `gap`. A span may begin anywhere: what was before it is not asked for,
except with `from_start`, which asks every boot to begin at 1.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

REMEMBERED = 20_000  # events whose content is kept to compare doubles with
FOLLOWED = 10_000  # faces whose life is followed at once
Range = tuple[int, int]  # first and last seq, both included


class RunReport(Struct, frozen=True, kw_only=True):
    """What came of one boot of one device."""

    device: str
    boot: str
    first: int  # the first seq that was received or announced
    last: int
    received: int  # different events, gaps not counted
    doubles: int  # further copies, the same event under the same id
    announced: int  # numbers that gaps name
    reasons: tuple[str, ...]  # of those gaps
    open_faces: int  # appeared and not gone
    problems: tuple[str, ...]  # empty: all is well


class RunAudit:
    """One boot of one device, as far as it was heard of; ``first``: the seq it must begin with, None for any."""

    def __init__(self, device: str, name: str, first: int | None) -> None:
        self.device = device
        self.name = name
        self.ended_unknown = False
        self._first = first
        self._next = first  # the seq that is to come
        self._missing: list[Range] = []
        self._announced: list[Range] = []
        self._reasons: dict[str, None] = {}
        self._contents: dict[int, bytes] = {}  # seq -> digest, the newest REMEMBERED
        self._twins: dict[bytes, int] = {}  # digest without the id -> seq
        self._digests: deque[tuple[int, bytes]] = deque()
        self._faces: set[int] = set()
        self._received = self._doubles = 0
        self._problems: dict[str, int] = {}

    def take(self, event: Mapping[str, Any], seq: int, missing: Mapping[str, int] | None) -> None:
        """One event; ``missing`` is the range of this boot that it says will not come.

        Raises:
            KeyError, TypeError, ValueError: it is no event of this contract.
        """
        first, last = (seq, seq) if missing is None else (missing["from"], missing["to"])
        if last != seq or first > last:
            raise ValueError(f"a gap from {first} to {last} under the number {seq}")
        if self._next is None:
            self._first = self._next = first
        if missing is not None:
            self._reasons[str(event["reason"])] = None
            if last >= self._next:
                self._announced.append((max(first, self._next), last))
        elif not self._is_new(event, seq):
            return
        else:
            self._received += 1
            self._follow(event)
        if first > self._next:
            self._missing.append((self._next, first - 1))
        self._next = max(self._next, last + 1)

    def report(self, *, followed: bool) -> RunReport:
        """``followed``: a later boot of the device was heard of, so this one's faces should be closed."""
        missing = [f"{_ranges([one])} never came and no gap names them" for one in self._missing]
        told = [text if times == 1 else f"{text} ({times} times)" for text, times in self._problems.items()]
        excused = self.ended_unknown or bool(self._announced) or self._first != 1
        if followed and self._faces and not excused:
            told.append(f"faces {sorted(self._faces)} were never said to be gone")
        return RunReport(
            device=self.device,
            boot=self.name,
            first=self._first or 0,
            last=(self._next or 1) - 1,
            received=self._received,
            doubles=self._doubles,
            announced=sum(last - first + 1 for first, last in self._announced),
            reasons=tuple(self._reasons),
            open_faces=len(self._faces),
            problems=(*missing, *told),
        )

    def _is_new(self, event: Mapping[str, Any], seq: int) -> bool:
        """Whether this is the first copy; judges the order of first copies and the content of later ones."""
        digest, anonymous = _digests(event)
        known = self._contents.get(seq)
        if known is not None:
            self._doubles += 1
            if known != digest:
                self._problem(f"event {seq} came again with another content")
            return False
        if anonymous in self._twins:
            self._problem(f"events {self._twins[anonymous]} and {seq} are one event under two numbers")
        self._remember(seq, digest, anonymous)
        assert self._next is not None
        if seq >= self._next:
            return True
        self._late(event, seq)
        return False

    def _late(self, event: Mapping[str, Any], seq: int) -> None:
        """A number below what is expected whose first copy was not seen, or is forgotten."""
        assert self._first is not None
        if any(first <= seq <= last for first, last in self._missing):
            self._missing = [part for one in self._missing for part in _without(one, seq)]
            self._received += 1
            self._problem(f"event {seq} came after later ones")
        elif any(first <= seq <= last for first, last in self._announced):
            self._received += 1  # a gap names all that may be missing
        else:  # of before the span, or from too long ago: only a repetition excuses it
            self._doubles += 1
            if not event["replayed"]:
                self._problem(f"event {seq} came again and is not marked as replayed")

    def _follow(self, event: Mapping[str, Any]) -> None:
        """Keeps the faces that have appeared and are not gone."""
        face, kind = event["face"], event["event_type"]
        if not isinstance(face, int | None):
            raise TypeError(f"the face {face!r}")
        if kind == "face_appeared":
            if face in self._faces:
                self._problem(f"face {face} appeared twice")
            if len(self._faces) < FOLLOWED:
                self._faces.add(face)
        elif kind == "face_gone":
            self._faces.discard(face)

    def _remember(self, seq: int, digest: bytes, anonymous: bytes) -> None:
        self._contents[seq] = digest
        self._twins[anonymous] = seq
        self._digests.append((seq, anonymous))
        if len(self._digests) > REMEMBERED:
            old, twin = self._digests.popleft()
            del self._contents[old]
            self._twins.pop(twin, None)

    def _problem(self, text: str) -> None:
        self._problems[text] = self._problems.get(text, 0) + 1


def _digests(event: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Of an event's content: with its id, and without. Whether it was replayed is not content."""
    content = {key: value for key, value in event.items() if key not in ("replayed", "id")}
    anonymous = hashlib.blake2b(msgspec.json.encode(content), digest_size=16)
    whole = anonymous.copy()
    whole.update(str(event["id"]).encode())
    return whole.digest(), anonymous.digest()


def _without(one: Range, seq: int) -> Iterator[Range]:
    first, last = one
    if not first <= seq <= last:
        yield one
        return
    if first < seq:
        yield first, seq - 1
    if seq < last:
        yield seq + 1, last


def _ranges(ranges: list[Range]) -> str:
    return ", ".join(f"event {a}" if a == b else f"events {a} to {b}" for a, b in ranges)


class Audit:
    """Takes events one after the other, as they arrived. Not thread-safe.

    ``from_start``: the listener was there before the daemon, so every boot must begin at 1.
    """

    def __init__(self, *, from_start: bool = False) -> None:
        self._from_start = from_start
        self._boots: dict[tuple[str, str], RunAudit] = {}
        self._latest: dict[str, str] = {}  # device -> the boot that was heard of last for the first time
        self.events = 0
        self.unreadables: list[str] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """One event's payload; what is not an event of this contract is a problem of its own."""
        self.events += 1
        try:
            device, (boot, _, seq) = event["device"], event["id"].rpartition("-")
            if (device, boot) not in self._boots:
                first = 1 if self._from_start else None
                self._boots[device, boot] = RunAudit(device, boot, first)
                self._latest[device] = boot
            missing = event["missing"]
            if missing is not None and (of := missing.get("boot", boot)) != boot:
                self._lost_track(device, of, told_by=boot)
                missing = None
            self._boots[device, boot].take(event, int(seq), missing)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            self.unreadable(f"not an event ({repr(error)[:80]}): {str(dict(event))[:80]}")

    def unreadable(self, what: str) -> None:
        """Something arrived in an event's place that is none."""
        self.unreadables.append(what)

    def reports(self) -> list[RunReport]:
        """One report a boot, in the order in which they were first heard of."""
        return [boot.report(followed=self._latest[boot.device] != boot.name) for boot in self._boots.values()]

    def problems(self) -> list[str]:
        """Everything that breaks the promise, a line each; empty when all is well."""
        found = [f"{one.device} {one.boot}: {problem}" for one in self.reports() for problem in one.problems]
        return [*self.unreadables, *found]

    def _lost_track(self, device: str, boot: str | None, told_by: str) -> None:
        """A later boot says that it cannot know how this one ended, or with None any before it."""
        for one in self._boots.values():
            if one.device == device and one.name != told_by and boot in (None, one.name):
                one.ended_unknown = True
