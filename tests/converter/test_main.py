"""The command line as a whole: it answers at once, and without what a command would need."""

import pytest

from converter.__main__ import COMMANDS

WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('keras', 'tensorflow', 'matplotlib', 'tf_keras')))"


def test_the_help_lists_every_command_in_the_order_of_the_work(convert) -> None:
    ended = convert("--help", before=WITHOUT)
    assert ended.returncode == 0, ended.stderr
    places = [ended.stdout.index(f"\n  {name} ") for name in ("explore", "train", "quantize", "evaluate", "card")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_a_command_needs_no_keras(convert, name: str) -> None:
    ended = convert(name, "--help", before=WITHOUT)
    assert ended.returncode == 0, ended.stderr
    assert f"Usage: fer-convert {name}" in ended.stdout


def test_an_unknown_command_is_a_usage_error(convert) -> None:
    ended = convert("distil")
    assert ended.returncode == 2
    assert "No such command 'distil'" in ended.stderr


def test_a_missing_path_is_a_usage_error(convert, tmp_path) -> None:
    ended = convert("explore", "--data", tmp_path / "absent.csv")
    assert ended.returncode == 2
    assert "absent.csv" in ended.stderr
