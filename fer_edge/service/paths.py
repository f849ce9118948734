"""Paths of the service, its shipped files, and installing and removing files.

`shipped/` holds links to the repository's copies.
"""

import errno
import os
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from fer_edge.errors import UserError
from fer_edge.files import replaced_file

NAME = "fer-edge"  # unit, user and folders
UNIT = Path("/etc/systemd/system/fer-edge.service")
DROP_INS = Path("/etc/systemd/system/fer-edge.service.d")  # the user's, made by `systemctl edit`
SYSUSERS = Path("/etc/sysusers.d/fer-edge.conf")
TMPFILES = Path("/etc/tmpfiles.d/fer-edge.conf")
SETTINGS = Path("/etc/fer-edge/config.yaml")
PASSWORD = Path("/etc/fer-edge/mqtt-password")
STATE = Path("/var/lib/fer-edge")
RUNTIME = Path("/run/fer-edge")  # records of undelivered events; they survive a stop, not a reboot
PACKAGED_UNIT = Path("/usr/lib/systemd/system/fer-edge.service")  # the Debian package's


def shipped(name: str) -> str:
    """Return this version's `fer-edge.service`, `sysusers.conf`, `tmpfiles.conf` or `config.yaml`."""
    return files("fer_edge.service").joinpath("shipped", name).read_text()


def use_service_folders(
    path: Path | None, environment: MutableMapping[str, str] = os.environ, settings: Path = SETTINGS
) -> None:
    """Set the service's credentials and state directory in ``environment`` if ``path`` is the service's settings file.

    The passwords are beside the settings, under their credentials' names. Variables that are set already stay.
    """
    if path is not None and path.resolve().parent == settings.parent:
        environment.setdefault("CREDENTIALS_DIRECTORY", str(settings.parent))
        environment.setdefault("STATE_DIRECTORY", str(STATE))


def install_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write ``text`` to ``path`` atomically; return whether that changed the file.

    Raises:
        UserError: it cannot be written.
    """
    with _user_errors(path):
        if path.is_file() and path.read_text() == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as part:
            part.write_text(text)
            part.chmod(mode)
        return True


def remove_path(path: Path) -> bool:
    """Remove a file, or a folder with its content; return whether there was one.

    Raises:
        UserError: it cannot be removed.
    """
    with _user_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()
        else:
            return False
        return True


@contextmanager
def _user_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ": switch the overlay file system off first" if error.errno == errno.EROFS else ""
        raise UserError(f"{path}: {error.strerror}{hint}") from error
