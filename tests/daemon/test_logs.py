import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.config.model import DecideSettings
from fer_edge.daemon.logs import JournalFormatter, PlainFormatter
from fer_edge.recording.format import Origin, Step, StepKind, opening, rows

SCRIPT = (
    "import logging; from fer_edge.daemon.logs import set_up_logging, set_level; set_up_logging('warning')\n"
    "ours, theirs = logging.getLogger('fer_edge.x'), logging.getLogger('library')\n"
    "ours.info('hidden'); ours.warning('shown'); set_level('debug'); ours.debug('now shown'); theirs.info('hidden')"
)


def test_level_changes_at_run_time_and_libraries_log_from_warning_on() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert [line.split(" ", 2)[2] for line in result.stderr.splitlines()] == [
        "WARNING fer_edge.x: shown",
        "DEBUG fer_edge.x: now shown",
    ]


def record_of(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("fer_edge", logging.ERROR, "", 0, message, arguments, None)


def test_every_line_of_a_journal_record_carries_its_level() -> None:
    assert JournalFormatter("%(message)s").format(record_of("first\nsecond")) == "<3>first\n<3>  second"


@pytest.mark.parametrize("formatter", [PlainFormatter, JournalFormatter])
def test_terminal_control_characters_are_escaped(formatter: type[logging.Formatter]) -> None:
    record = record_of("card %s", "\x1b[2J\x07\r\x9b1m\u202e\ud800 café 笑")
    line = formatter("%(message)s").format(record).removeprefix("<3>")
    assert line == r"card \x1b[2J\x07\r\x9b1m\u202e\ud800 café 笑"


@pytest.mark.parametrize("formatter", [PlainFormatter, JournalFormatter])
@given(text=st.text(max_size=60))
def test_no_text_breaks_out_of_its_record(formatter: type[logging.Formatter], text: str) -> None:
    lines = formatter("%(message)s").format(record_of("%s", text)).split("\n")
    assert all("".join(line).isprintable() for line in lines)
    assert all(line.removeprefix("<3>").startswith("  ") for line in lines[1:])


def test_traceback_keeps_its_line_breaks_and_no_other_unprintable_character() -> None:
    record = record_of("failed")
    try:
        int("of \x1b[31m")
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *traceback, last = PlainFormatter("%(message)s").format(record).split("\n")
    assert (first, traceback[0]) == ("failed", "Traceback (most recent call last):")
    assert last == r"ValueError: invalid literal for int() with base 10: 'of \x1b[31m'"


def test_error_of_the_command_line_is_printed_with_control_characters_escaped(tmp_path: Path) -> None:
    (tmp_path / "net\x1b[31m.csv").write_text("nothing of ours\n")
    command = [sys.executable, "-m", "fer_edge", "tune", str(tmp_path / "net\x1b[31m.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith(f"fer-edge: {tmp_path}/net\\x1b[31m.csv: not a table of scores")
    assert "\x1b" not in done.stderr


def test_warning_of_a_command_without_a_log_is_printed_with_control_characters_escaped(tmp_path: Path) -> None:
    for name in ("a\x1b[31m", "b"):
        (tmp_path / f"{name}.scores.csv").write_text("nothing of ours\n")
    origin = Origin(decide=DecideSettings(), lost_s=1.0, model="ab", source="x")
    (tmp_path / "c.scores.csv").write_text(opening(origin) + rows(Step(StepKind.TICK, 1.0)))
    command = [sys.executable, "-m", "fer_edge", "tune", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert done.stderr.startswith(f"{tmp_path}/a\\x1b[31m.scores.csv: not a table of scores")
    assert "\x1b" not in done.stderr


CRASH = """
import os, signal, sys
from fer_edge.daemon.logs import enable_crash_traces
from fer_edge.vision.interpreter import logged_native_stderr
enable_crash_traces()
def crash_in_a_library():
    os.kill(os.getpid(), signal.SIGSEGV)
with logged_native_stderr("Library"):
    crash_in_a_library()
"""


def test_crash_while_a_library_is_loaded_writes_its_stack_to_stderr() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGSEGV
    assert done.stderr.startswith("Fatal Python error: Segmentation fault")
    assert "in crash_in_a_library" in done.stderr


def test_daemon_ended_by_a_signal_writes_the_stack_of_each_thread_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("camera: {source: /dev/video99}\nmqtt: {host: 127.0.0.1, port: 9}\n")
    command = [sys.executable, "-m", "fer_edge", "run", "--config", str(tmp_path / "config.yaml")]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as daemon:
        assert daemon.stderr is not None
        assert any("camera" in line for line in daemon.stderr)  # it runs
        daemon.send_signal(signal.SIGSEGV)
        output = daemon.stderr.read()
    assert daemon.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in output
    assert "loop.py" in output


def test_process_without_stderr_has_no_crash_traces_and_runs() -> None:
    code = "import os; os.close(2)\nfrom fer_edge.daemon.logs import enable_crash_traces as e; e(); print('ran')"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert done.stdout == "ran\n"
