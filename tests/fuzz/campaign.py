"""Runs mutated inputs through entrances; whatever an entrance does not document is a finding, with its seed."""

import gc
import logging
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.mutations import mutated

CASE_S = 15.0  # an input that takes longer is a finding; the slowest reader, PyYAML, takes a second for 20 KB
MAX_GROWTH_KIB = 512 * 1024  # of memory by one input

Parts = tuple[bytes, ...]


@dataclass(frozen=True)
class Entrance:
    """One way in from outside.

    ``enter`` takes the parts of one input and an empty folder. It returns True where the input was accepted, False
    where it was refused as documented, and raises whatever else happens.
    """

    name: str
    examples: Callable[[], Sequence[Parts]]
    enter: Callable[[Parts, Path], bool]
    words: tuple[bytes, ...] = ()


class Finding(Exception):  # noqa: N818 - the field's word
    """An entrance did what it does not document."""


class Hang(BaseException):
    """An input took too long; no `except Exception` on the way may swallow it."""


@dataclass
class Tally:
    """Cases of one entrance."""

    accepted: int = 0
    refused: int = 0
    spent_s: float = 0.0
    findings: dict[str, list[str]] = field(default_factory=dict)
    """Cases by what they found, the first with its traceback."""


def parts_of(entrance: Entrance, seed: int) -> Parts:
    """The input of a case, the same at each call."""
    rng = random.Random(f"{entrance.name}:{seed}")
    examples = entrance.examples()
    parts = list(rng.choice(examples))
    places = [place for place in range(len(parts)) if rng.random() < 1.5 / len(parts)] or [rng.randrange(len(parts))]
    for place in places:
        like = [example[place] for example in examples if len(example) > place]
        parts[place] = mutated(rng, [parts[place], *like], entrance.words)
    return tuple(parts)


def run_case(entrance: Entrance, parts: Parts) -> bool:
    """Return whether the input was accepted.

    Raises:
        Finding: the entrance raised or logged an exception, hung, or took too much memory; with its traceback.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory(prefix="fer-edge-fuzz-", dir=_memory()) as folder, _logged() as records:
        try:
            with _deadline(CASE_S), warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # numpy's: a number that was not checked
                accepted = entrance.enter(parts, Path(folder))
        except Hang:
            raise Finding(f"takes longer than {CASE_S:g} s\n{traceback.format_exc()}") from None
        except Exception:  # noqa: BLE001 - the whole point
            raise Finding(traceback.format_exc()) from None
    if records:
        raise Finding("logged: " + "\n".join(records))
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if growth > MAX_GROWTH_KIB:
        gc.collect()
        raise Finding(f"took {growth // 1024} MiB of memory")
    return accepted


def campaign(
    entrances: Sequence[Entrance], seed: int, seconds: float, report: Callable[[str], None]
) -> dict[str, Tally]:
    """Give each entrance an equal share of ``seconds``; each counts its cases up from ``seed``."""
    tallies = {entrance.name: Tally() for entrance in entrances}
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        entrance = min(entrances, key=lambda one: tallies[one.name].spent_s)
        tally = tallies[entrance.name]
        number = seed + tally.accepted + tally.refused + sum(map(len, tally.findings.values()))
        began = time.monotonic()
        try:
            accepted = run_case(entrance, parts_of(entrance, number))
        except Finding as finding:
            key = _place(str(finding))
            if key not in tally.findings:
                report(f"FOUND by {entrance.name}:{number}\n{finding}")
            tally.findings.setdefault(key, []).append(f"{entrance.name}:{number}")
        else:
            tally.accepted += accepted
            tally.refused += not accepted
        tally.spent_s += time.monotonic() - began
    return tallies


def _place(text: str) -> str:
    """Identity of a finding: the innermost line of our code, and the exception."""
    lines = text.strip().splitlines()
    places = [line.strip() for line in lines if "/fer_edge/" in line]
    return f"{places[-1] if places else ''} {lines[-1].partition(':')[0]}"


def _memory() -> str | None:
    """A folder in memory: thousands of files a second are written."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


class _Exceptions(logging.Handler):
    """Keeps what was logged with an exception, which a server does instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or "exception" in record.getMessage().lower():
            self.records.append(logging.Formatter().format(record))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """The exceptions that are logged within; nothing is printed."""
    root, handler = logging.getLogger(), _Exceptions()
    previous = root.handlers[:]
    root.handlers[:] = [handler]
    try:
        yield handler.records
    finally:
        root.handlers[:] = previous
