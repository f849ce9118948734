"""Events from files: JSON lines, as `fer-edge events --json`, `mosquitto_sub` or `fer-edge video` write them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_object

EVENT = "event"
VIDEO = "video"  # an event that `fer-edge video` wrote: it has a time in its video, and was never sent
LONGEST = 1 << 20  # bytes of a line; an event has some 600, and a video may be one line of gigabytes
DEEPEST = 20  # objects and lists in each other; a message of ours has six
ENOUGH = 1000  # lines that are none of ours, from the first: there will be no other


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a file: ``kind`` is the last part of its topic, or `video`."""

    kind: str
    payload: dict[str, Any] | str
    device: str | None


def read_recording(path: Path) -> Iterator[Recorded | str]:
    """Each line of the file in its order, or for a line that is none of ours a sentence that says which.

    Empty lines are passed over. A file without a single line of ours gives one sentence.

    Raises:
        UserError: the file cannot be read.
    """
    strange: list[int] = []  # lines before the first that is ours
    ours = False
    try:
        with path.open("rb") as file:
            for number, line in _lines(file):
                recorded = _read(line)
                if recorded is None and not ours:
                    strange.append(number)
                    if len(strange) == ENOUGH:
                        break
                    continue
                if not ours:
                    yield from (_none_of_ours(path, one) for one in strange)
                    ours = True
                yield recorded or _none_of_ours(path, number)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if strange and not ours:
        yield f"{path}: is no recording of events: of its first {len(strange)} lines none is a JSON object with an id"


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty with their numbers; of one that is too long its beginning."""
    number, goes_on = 0, False
    while line := file.readline(LONGEST):
        if not goes_on:
            number += 1
            if line.strip():
                yield number, line
        goes_on = not line.endswith(b"\n")


def _read(line: bytes) -> Recorded | None:
    try:
        value = decode_object(line, DEEPEST)
    except DecodeError:
        return None
    match value:
        case {"id": str()}:
            return Recorded(EVENT, value, _text(value.get("device")))
        case {"topic": str() as kind, "payload": dict() | str() as payload}:  # of `fer-edge events --json --all`
            device = payload.get("device") if isinstance(payload, dict) else None
            return Recorded(kind, payload, _text(value.get("device", device)))
        case {"event_type": str(), "at_s": int() | float()}:
            return Recorded(VIDEO, value, None)
        case _:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _none_of_ours(path: Path, number: int) -> str:
    return f"{path}:{number}: not a JSON object with an id"
