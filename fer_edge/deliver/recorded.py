"""Events from files: JSON lines, as `fer-edge events --json` or `mosquitto_sub` write them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.errors import UserError


def read_events(path: Path) -> Iterator[dict[str, Any] | str]:
    """Each event of the file in its order, or for a line that is none a sentence that says which.

    Empty lines are passed over.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _event(line) or f"{path}:{number}: not a JSON object with an id"
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("id"), str) else None
