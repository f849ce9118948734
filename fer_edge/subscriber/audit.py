"""Audit of received events: checks the delivery guarantees of docs/mqtt.md. Pure.

Events of one run count up by one. First copies arrive in that order; a later copy is the same event with the same id; a
`gap` names the events that will not arrive. A recording may begin anywhere, except with `from_start`, which requires
every run to begin at 1.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

MAX_DIGESTS = 20_000  # events whose content is kept to compare duplicates
MAX_FACES = 10_000  # open faces that are tracked
Range = tuple[int, int]  # first and last seq, both included


class RunReport(Struct, frozen=True, kw_only=True):
    """Result of one run of one device."""

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
    """Audit of one run of one device; ``first``: the seq it must begin with, None for any."""

    def __init__(self, device: str, name: str, first: int | None) -> None:
        self.device = device
        self.name = name
        self.ended_unknown = False
        self._first = first
        self._next = first  # the seq that is to come
        self._missing: list[Range] = []
        self._announced: list[Range] = []
        self._reasons: dict[str, None] = {}
        self._contents: dict[int, bytes] = {}  # seq -> digest, the newest MAX_DIGESTS
        self._twins: dict[bytes, int] = {}  # digest without the id -> seq
        self._digests: deque[tuple[int, bytes]] = deque()
        self._faces: set[int] = set()
        self._received = self._doubles = 0
        self._problems: dict[str, int] = {}

    def take(self, event: Mapping[str, Any], seq: int, missing: Mapping[str, int] | None) -> None:
        """Take one event; ``missing`` is the range of a gap.

        Raises:
            KeyError, TypeError, ValueError: it is not an event of this contract.
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
        """Return the result; ``followed``: a later run of the device has begun, so no face may be open."""
        missing = [f"{_ranges([one])} never arrived and no gap names them" for one in self._missing]
        problems = [text if times == 1 else f"{text} ({times} times)" for text, times in self._problems.items()]
        excused = self.ended_unknown or bool(self._announced) or self._first != 1
        if followed and self._faces and not excused:
            problems.append(f"faces {sorted(self._faces)} have no face_gone")
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
            problems=(*missing, *problems),
        )

    def _is_new(self, event: Mapping[str, Any], seq: int) -> bool:
        """Return whether this is the first copy; check the order of first copies and the content of later ones."""
        digest, anonymous = _digests(event)
        known = self._contents.get(seq)
        if known is not None:
            self._doubles += 1
            if known != digest:
                self._problem(f"event {seq} arrived again with different content")
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
        """Process an event below the expected seq whose first copy is not stored."""
        assert self._first is not None
        if any(first <= seq <= last for first, last in self._missing):
            self._missing = [part for one in self._missing for part in _without(one, seq)]
            self._received += 1
            self._problem(f"event {seq} arrived after later ones")
        elif any(first <= seq <= last for first, last in self._announced):
            self._received += 1  # a gap names all that may be missing
        else:  # from before the recording, or too old: valid only as a repetition
            self._doubles += 1
            if not event["replayed"]:
                self._problem(f"event {seq} arrived again and is not marked as replayed")

    def _follow(self, event: Mapping[str, Any]) -> None:
        """Track the faces that have appeared and are not gone."""
        face, kind = event["face"], event["event_type"]
        if not isinstance(face, int | None):
            raise TypeError(f"the face {face!r}")
        if kind == "face_appeared":
            if face in self._faces:
                self._problem(f"face {face} appeared twice")
            if len(self._faces) < MAX_FACES:
                self._faces.add(face)
        elif kind == "face_gone":
            self._faces.discard(face)

    def _remember(self, seq: int, digest: bytes, anonymous: bytes) -> None:
        self._contents[seq] = digest
        self._twins[anonymous] = seq
        self._digests.append((seq, anonymous))
        if len(self._digests) > MAX_DIGESTS:
            old, twin = self._digests.popleft()
            del self._contents[old]
            self._twins.pop(twin, None)

    def _problem(self, text: str) -> None:
        self._problems[text] = self._problems.get(text, 0) + 1


def _digests(event: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the digests of an event with and without its id; `replayed` is not part of the content."""
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
    """Audit of all devices and runs, event by event in the order of arrival. Not thread-safe.

    ``from_start``: the subscription began before the daemon, so every run must begin at 1.
    """

    def __init__(self, *, from_start: bool = False) -> None:
        self._from_start = from_start
        self._boots: dict[tuple[str, str], RunAudit] = {}
        self._latest: dict[str, str] = {}  # device -> its newest run
        self.events = 0
        self.unreadables: list[str] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the payload of one event; an invalid one is recorded as a problem."""
        self.events += 1
        try:
            device, (boot, _, seq) = event["device"], event["id"].rpartition("-")
            if (device, boot) not in self._boots:
                first = 1 if self._from_start else None
                self._boots[device, boot] = RunAudit(device, boot, first)
                self._latest[device] = boot
            missing = event["missing"]
            if missing is not None and (of := missing.get("boot", boot)) != boot:
                self._mark_unknown(device, of, reported_by=boot)
                missing = None
            self._boots[device, boot].take(event, int(seq), missing)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            self.unreadable(f"not an event ({repr(error)[:80]}): {str(dict(event))[:80]}")

    def unreadable(self, what: str) -> None:
        """Record a message that is not an event."""
        self.unreadables.append(what)

    def reports(self) -> list[RunReport]:
        """Return one report per run, in the order of their first events."""
        return [boot.report(followed=self._latest[boot.device] != boot.name) for boot in self._boots.values()]

    def problems(self) -> list[str]:
        """Return one line for each violation; empty if there is none."""
        found = [f"{one.device} {one.boot}: {problem}" for one in self.reports() for problem in one.problems]
        return [*self.unreadables, *found]

    def _mark_unknown(self, device: str, boot: str | None, reported_by: str) -> None:
        """Mark runs of unknown end: ``boot``, or with None all before the reporting one."""
        for one in self._boots.values():
            if one.device == device and one.name != reported_by and boot in (None, one.name):
                one.ended_unknown = True
