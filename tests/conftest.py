"""What all tests share: where the data folder is, and that its absence is said."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with FER-2013, videos, photos and other people's models; skips where there is none, fails in CI."""
    folder = Path(os.environ.get("FER_EDGE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        word = f"no data folder at {folder}: set FER_EDGE_DATA to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(word)
        pytest.skip(word)
    return folder
