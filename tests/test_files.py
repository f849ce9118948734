import os
from pathlib import Path

import pytest

from fer_edge.files import printable_path, user_path


def test_home_folder_is_put_in_and_other_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/pi")
    assert user_path("~/clip.mp4") == Path("/home/pi/clip.mp4")
    assert user_path("clips/~.mp4") == Path("clips/~.mp4")


def test_home_of_nobody_is_left_to_whoever_opens_it() -> None:
    assert user_path("~nobodyhere/clip.mp4") == Path("~nobodyhere/clip.mp4")


def test_name_that_is_not_utf_8_is_printed_with_its_bytes_and_any_other_as_it_is() -> None:
    assert printable_path(Path(os.fsdecode(b"a/caf\xe9.mp4"))) == r"a/caf\xe9.mp4"
    assert printable_path(Path("a/caf\u00e9 [1].mp4")) == "a/caf\u00e9 [1].mp4"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable_path(Path("a\x1b[31m\n\u202eb.mp4")) == r"a\x1b[31m\n\u202eb.mp4"
