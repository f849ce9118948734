"""Persisted run-time overrides: a small JSON file in the state directory. config.yaml is never rewritten."""

from pathlib import Path
from typing import Any

import msgspec

from fer_edge.errors import UserError
from fer_edge.files import replaced_file
from fer_edge.untrusted import DecodeError, decode_json, read_regular

MAX_BYTES = 100_000  # all overridable settings take less than 2 KB; zones at most 100 x 100 points
ASIDE = ".rejected"  # suffix of a file that cannot be used


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State that survives a restart."""

    schema: int = 1
    paused: bool = False
    settings: dict[str, Any] = {}
    made_against: dict[str, Any] = {}
    """{dotted key of an override: value in config.yaml when it was made}, None where the file had none."""


class OverridesError(UserError):
    """The overrides cannot be read or written; the message is one line."""


class OverridesFile:
    """Overrides file at ``path``; its folder is created on the first write. Owned by the main thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Overrides:
        """Read the file; without one there are no overrides.

        Raises:
            OverridesError: the file cannot be read, or is no overrides file.
        """
        try:
            return decode_json(read_regular(self.path, MAX_BYTES), Overrides)
        except FileNotFoundError:
            return Overrides()
        except OSError as error:
            raise OverridesError(f"{self.path}: cannot be read: {error.strerror}") from error
        except DecodeError as error:
            raise OverridesError(f"{self.path}: is no overrides file: {error}") from error

    def save(self, overrides: Overrides) -> None:
        """Replace the file atomically: after a power cut it is either the old one or the new one.

        Raises:
            OverridesError: it cannot be written; the old file stays.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_file(self.path) as part:
                part.write_bytes(msgspec.json.format(msgspec.json.encode(overrides)) + b"\n")
        except OSError as error:
            what = "the daemon needs a writable folder, see STATE_DIRECTORY in docs/mqtt.md"
            raise OverridesError(f"{self.path}: cannot be written: {error.strerror}: {what}") from error

    def set_aside(self) -> Path:
        """Rename the file, so that it is out of use and can be inspected; return the new name.

        Raises:
            OverridesError: it cannot be renamed.
        """
        aside = self.path.with_name(self.path.name + ASIDE)
        try:
            self.path.replace(aside)
        except OSError as error:
            raise OverridesError(f"{self.path}: cannot be set aside: {error.strerror}") from error
        return aside
