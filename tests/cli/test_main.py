"""Rejected options and help of the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fer_edge.cli.main import commands
from fer_edge.errors import EXIT_USAGE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--for", "nan"], "nan is not a finite number"),
        (["--for", "inf"], "inf is not a finite number"),
        (["--for", "-1"], "x>=0"),
        (["--for", "3", "events.jsonl"], "--for cannot be used with FILEs"),
        (["--device", "#"], "+ for all devices"),
        (["--device", "a+"], "+ for all devices"),
        (["--device", "a/b"], "+ for all devices"),
        (["--device", ""], "+ for all devices"),
    ],
)
def test_impossible_option_is_a_usage_error(options: list[str], message: str) -> None:
    result = CliRunner().invoke(commands, ["events", *options])
    assert (result.exit_code, message in " ".join(result.output.split())) == (EXIT_USAGE, True), result.output


@pytest.mark.parametrize("device", ["porch", "+"])
def test_valid_device_is_accepted(device: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    result = CliRunner().invoke(commands, ["events", "--device", device, str(tmp_path / "empty.jsonl")])
    assert (result.exit_code, result.output) == (0, "")


def test_help_names_the_conditions_of_the_audit() -> None:
    text = " ".join(CliRunner().invoke(commands, ["events", "--help"]).output.split())
    assert "exit 0 if none was lost unannounced, altered or reordered, else 1." in text
