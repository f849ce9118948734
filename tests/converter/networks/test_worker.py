"""A worker process gives a value, an error of one line, or is ended within its limits."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.networks.worker import GIB, Limits, run_in_worker
from fer_edge.errors import ModelError, UserError

MODEL = Path("net.keras")


def work(function: Callable[..., Any], *arguments: Any, limits: Limits | None = None) -> tuple[Any, list[str]]:
    stages: list[str] = []
    value = run_in_worker(function, *arguments, model=MODEL, report=stages.append, limits=limits or Limits(time_s=60))
    return value, stages


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, so that what is left in it can be seen."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def doubled(values: Any, report: Callable[[str], None]) -> Any:
    report("doubling")
    sys.stdout.write("noise")
    os.write(2, b"noise of C++")
    return 2 * values


def refused(_report: Callable[[str], None]) -> None:
    raise ModelError("net.keras: is no network")


def missing(_report: Callable[[str], None]) -> None:
    raise ModuleNotFoundError("No module named 'keras'", name="keras")


def full(_report: Callable[[str], None]) -> None:
    raise OSError(28, "No space left on device")


def mistaken(_report: Callable[[str], None]) -> None:
    raise ZeroDivisionError("a bug")


def killed(_report: Callable[[str], None]) -> None:
    os.abort()


def endless(_report: Callable[[str], None]) -> None:
    while True:
        time.sleep(1)


def large(size: int, _report: Callable[[str], None]) -> int:
    return int(np.ones(size, np.uint8)[-1])


def test_a_value_comes_back_stages_are_reported_and_output_is_hidden(logs: Path, capfd: pytest.CaptureFixture[str]):
    value, stages = work(doubled, np.arange(3))
    assert value.tolist() == [0, 2, 4]
    assert stages == ["doubling"]
    assert capfd.readouterr() == ("", "")
    assert list(logs.iterdir()) == []


def test_an_error_of_the_user_crosses_the_boundary_with_its_kind(logs: Path):
    with pytest.raises(ModelError, match=r"^net\.keras: is no network$"):
        work(refused)
    assert list(logs.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (missing, r"^keras is not installed: pip install 'fer-edge\[converter\]'$"),
        (full, r": cannot be written: No space left on device; make room there$"),
    ],
)
def test_what_a_user_can_cure_is_one_line(function: Callable[..., Any], line: str):
    with pytest.raises(UserError, match=line):
        work(function)


@pytest.mark.parametrize(
    ("function", "death", "output"),
    [(mistaken, "failed with exit code 1", "ZeroDivisionError: a bug"), (killed, r"was killed by signal 6 \(", "")],
)
def test_a_process_that_crashes_is_one_line_that_names_its_log(
    logs: Path, function: Callable[..., Any], death: str, output: str
):
    with pytest.raises(UserError, match=rf"^net\.keras: the conversion process {death}.*its output is in ") as caught:
        work(function)
    (log,) = logs.iterdir()
    assert str(caught.value).endswith(str(log))
    assert output in log.read_text()


def test_a_constant_of_nine_gigabytes_is_one_line_and_one_that_fits_is_computed():
    with pytest.raises(UserError, match=r"^net\.keras: needs more than 8 GiB of memory$"):
        work(large, 9 * GIB)
    with pytest.raises(UserError, match=r"^net\.keras: needs more than 0\.5 GiB of memory$"):
        work(large, GIB, limits=Limits(memory_bytes=GIB // 2, time_s=60))
    assert work(large, GIB // 8, limits=Limits(memory_bytes=GIB // 2, time_s=60))[0] == 1


def test_a_process_that_takes_too_long_is_ended():
    with pytest.raises(UserError, match=r"^net\.keras: the conversion process took longer than 2 s and was ended$"):
        work(endless, limits=Limits(time_s=2))
