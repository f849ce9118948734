"""What was changed while the daemon ran, on disk: a small JSON file beside which config.yaml stays the user's own."""

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json, read_regular

MAX_BYTES = 100_000  # all that can be overridden is below 2 KB
ASIDE = ".rejected"  # appended to the name of a file that cannot be used


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What outlives the daemon."""

    schema: int = 1
    paused: bool = False
    settings: dict[str, Any] = {}


class OverridesError(UserError):
    """The overlay cannot be read or written; one line that says what to do."""


class OverridesFile:
    """The file at ``path``; its folder is made when it is first written. The main thread owns it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Overrides:
        """What it holds; nothing where there is none.

        Raises:
            OverlayError: it is there and cannot be read, or holds something else.
        """
        try:
            return decode_json(read_regular(self.path, MAX_BYTES), Overrides)
        except FileNotFoundError:
            return Overrides()
        except OSError as error:
            raise OverridesError(f"{self.path}: cannot be read: {error.strerror}") from error
        except DecodeError as error:
            raise OverridesError(f"{self.path}: holds no changes of settings: {error}") from error

    def save(self, overlay: Overrides) -> None:
        """Replaces the file as a whole: after a power cut either the old one is there or the new one.

        Raises:
            OverlayError: the disk does not take it; the old file stays.
        """
        beside = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(overlay)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            what = "the daemon needs a folder that it may write to, see STATE_DIRECTORY in docs/mqtt.md"
            raise OverridesError(f"{self.path}: cannot be written: {error.strerror}: {what}") from error

    def set_aside(self) -> Path:
        """Renames the file, so that it is in nobody's way and can be looked at; gives its new name.

        Raises:
            OverlayError: it cannot be renamed.
        """
        aside = self.path.with_name(self.path.name + ASIDE)
        try:
            self.path.replace(aside)
        except OSError as error:
            raise OverridesError(f"{self.path}: cannot be set aside: {error.strerror}") from error
        return aside


def _sync_folder(folder: Path) -> None:
    """Makes a rename in it outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
