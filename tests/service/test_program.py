from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fer_edge.errors import UserError
from fer_edge.service.unit import reachable


@dataclass
class Place:
    """Folders that stand for /home, in which a user's own is closed to others as on Debian, and for /tmp."""

    top: Path

    def __post_init__(self) -> None:
        self.venv = self.top / "home" / "pi" / "venv"
        self.venv.mkdir(parents=True)
        self.venv.parent.chmod(0o700)

    def in_homes(self, *folders: Path) -> tuple[Path, ...]:
        return reachable(["fer-edge"], folders, [self.top / "home"], [self.top / "tmp"]).in_homes


@pytest.fixture
def place() -> Iterator[Place]:
    """Not below /tmp's usual subfolder of pytest, whose own folders are closed to others."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Place(Path(folder))


def test_program_outside_of_homes_needs_nothing(place: Place) -> None:
    assert place.in_homes(Path("/usr")) == ()


def test_program_in_a_closed_home_is_shown_once_though_its_parts_overlap(place: Place) -> None:
    (place.venv / "lib").mkdir()
    assert place.in_homes(place.venv, place.venv / "lib", Path("/usr")) == (place.venv,)


def test_folder_in_a_home_that_is_closed_itself_is_told_with_the_cure(place: Place) -> None:
    place.venv.chmod(0o700)
    with pytest.raises(UserError, match=f"chmod o\\+rx {place.venv}$"):
        place.in_homes(place.venv)


def test_closed_folder_on_the_way_is_told_outside_of_homes(place: Place) -> None:
    inner = place.top / "srv" / "venv"
    inner.mkdir(parents=True)
    (place.top / "srv").chmod(0o700)
    with pytest.raises(UserError, match=f"chmod o\\+rx {place.top / 'srv'}$"):
        place.in_homes(inner)


def test_temporary_folder_is_no_place_for_a_service(place: Place) -> None:
    with pytest.raises(UserError, match="temporary"):
        place.in_homes(place.top / "tmp" / "venv")
