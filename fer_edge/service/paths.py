"""Where the service keeps what; and what comes with the program: `shipped/` holds links to the only copies."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from fer_edge.errors import UserError

NAME = "fer-edge"  # of the unit, the user and the folders
UNIT = Path("/etc/systemd/system/fer-edge.service")
DROP_INS = Path("/etc/systemd/system/fer-edge.service.d")  # made by `systemctl edit`, the user's own
SYSUSERS = Path("/etc/sysusers.d/fer-edge.conf")
TMPFILES = Path("/etc/tmpfiles.d/fer-edge.conf")
SETTINGS = Path("/etc/fer-edge/config.yaml")
PASSWORD = Path("/etc/fer-edge/mqtt-password")
STATE = Path("/var/lib/fer-edge")
RUNTIME = Path("/run/fer-edge")  # notes on what is not delivered yet; they outlive a stop, not a reboot
PACKAGED_UNIT = Path("/usr/lib/systemd/system/fer-edge.service")  # the Debian package's


def shipped(name: str) -> str:
    """The text of `fer-edge.service`, `sysusers.conf`, `tmpfiles.conf` or `config.yaml` as of this version."""
    return files("fer_edge.service").joinpath("shipped", name).read_text()


def use_service_folders(
    path: Path | None, environment: MutableMapping[str, str] = os.environ, settings: Path = SETTINGS
) -> None:
    """Where ``path`` is the service's settings file, its password and its state folder are found as the service does.

    The password lies beside the settings, under the name of its credential. What is set already stays.
    """
    if path is not None and path.resolve().parent == settings.parent:
        environment.setdefault("CREDENTIALS_DIRECTORY", str(settings.parent))
        environment.setdefault("STATE_DIRECTORY", str(STATE))


def install_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Makes ``path`` hold ``text``; whether that changed anything. Nobody ever reads a half-written file.

    Raises:
        UserError: it cannot be written.
    """
    with _told(path):
        if path.is_file() and path.read_text() == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                os.fchmod(handle, mode)
                file.write(text)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return True


def remove_path(path: Path) -> bool:
    """Takes a file or a folder with all that is in it away; whether there was one.

    Raises:
        UserError: it cannot be removed.
    """
    with _told(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()
        else:
            return False
        return True


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ": switch the overlay file system off for this" if error.errno == errno.EROFS else ""
        raise UserError(f"{path}: {error.strerror}{hint}") from error
