from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fer_edge.errors import UserError
from fer_edge.service.unit import reachable


@dataclass
class Place:
    """Stand-ins for /home, with a closed home as on Debian, and for /tmp."""

    top: Path

    def __post_init__(self) -> None:
        self.venv = self.top / "home" / "pi" / "venv"
        self.venv.mkdir(parents=True)
        self.venv.parent.chmod(0o700)

    def in_homes(self, *folders: Path) -> tuple[Path, ...]:
        return reachable(["fer-edge"], folders, [self.top / "home"], [self.top / "tmp"]).in_homes


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder that other users can read, unlike pytest's."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Place(Path(folder))


def test_program_outside_of_homes_needs_no_bind_mount(place: Place) -> None:
    assert place.in_homes(Path("/usr")) == ()


def test_program_in_a_closed_home_is_mounted_once_although_its_parts_overlap(place: Place) -> None:
    (place.venv / "lib").mkdir()
    assert place.in_homes(place.venv, place.venv / "lib", Path("/usr")) == (place.venv,)


def test_closed_folder_in_a_home_is_an_error_with_its_fix(place: Place) -> None:
    place.venv.chmod(0o700)
    with pytest.raises(UserError, match=f"chmod o\\+rx {place.venv}$"):
        place.in_homes(place.venv)


def test_closed_parent_folder_outside_of_homes_is_an_error_with_its_fix(place: Place) -> None:
    inner = place.top / "srv" / "venv"
    inner.mkdir(parents=True)
    (place.top / "srv").chmod(0o700)
    with pytest.raises(UserError, match=f"chmod o\\+rx {place.top / 'srv'}$"):
        place.in_homes(inner)


def test_temporary_folder_is_an_error(place: Place) -> None:
    with pytest.raises(UserError, match="temporary"):
        place.in_homes(place.top / "tmp" / "venv")
