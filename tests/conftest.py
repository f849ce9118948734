"""Fixtures of all tests: the data folder, rights of an ordinary user."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with FER-2013, videos, photos and other people's models; skips without it, fails in CI."""
    folder = Path(os.environ.get("FER_EDGE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no data folder at {folder}: set FER_EDGE_DATA to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Run the test with the rights of an ordinary user: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def foreign_file() -> Iterator[Path]:
    """A settings file that everybody may read and only its owner may write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "config.yaml"
        path.write_text("decide: {enter: 0.5, emotions: {happy: {enter: 0.8}}}\n")
        path.chmod(0o444)
        yield path
