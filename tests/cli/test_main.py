"""What the command line refuses before it does anything, and what it says then."""

import pytest
from click.testing import CliRunner

from fer_edge.cli.main import commands
from fer_edge.errors import EXIT_USAGE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "nan"], "nan is not a finite number"),
        (["--for", "inf"], "inf is not a finite number"),
        (["--for", "-1"], "x>=0"),
        (["--for", "3", "events.jsonl"], "--for is for listening"),
        (["--device", "#"], "+ for all devices"),
        (["--device", "a+"], "+ for all devices"),
        (["--device", "a/b"], "+ for all devices"),
        (["--device", ""], "+ for all devices"),
    ],
)
def test_wish_that_cannot_be_had_is_refused_as_wrong_usage(words: list[str], said: str) -> None:
    result = CliRunner().invoke(commands, ["events", *words])
    assert (result.exit_code, said in " ".join(result.output.split())) == (EXIT_USAGE, True), result.output


@pytest.mark.parametrize("device", ["porch", "+"])
def test_device_that_can_be_is_taken(device: str) -> None:
    result = CliRunner().invoke(commands, ["events", "--device", device, "/dev/null"])
    assert (result.exit_code, result.output) == (0, "")


def test_help_says_what_the_verdict_asks_for() -> None:
    words = " ".join(CliRunner().invoke(commands, ["events", "--help"]).output.split())
    assert "0, nothing is missing in silence, altered or out of order; else 1." in words
