from pathlib import Path

import pytest

from fer_edge.user_path import user_path


def test_home_folder_is_put_in_and_other_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/pi")
    assert user_path("~/clip.mp4") == Path("/home/pi/clip.mp4")
    assert user_path("clips/~.mp4") == Path("clips/~.mp4")


def test_home_of_nobody_is_left_to_whoever_opens_it() -> None:
    assert user_path("~nobodyhere/clip.mp4") == Path("~nobodyhere/clip.mp4")
