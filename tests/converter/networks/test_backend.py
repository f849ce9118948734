"""Keras' backend comes without its greetings, and with them where it does not come."""

import os

import pytest

from converter.networks.backend import without_greetings


def test_what_is_printed_below_python_during_an_import_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with without_greetings():
        os.write(2, b"Could not find cuda drivers\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")


def test_what_was_printed_before_a_failure_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    @without_greetings()
    def fails() -> None:
        os.write(2, b"needs AVX\n")
        raise ImportError

    with pytest.raises(ImportError):
        fails()
    assert capfd.readouterr() == ("", "needs AVX\n")
