"""Native stderr output of libraries is logged and never lost."""

import logging
import os
import subprocess
import sys
import tempfile
import threading

import pytest

from fer_edge.vision.interpreter import logged_native_stderr

LOGGER = "fer_edge.vision.interpreter"


def spoken(caplog, text: bytes) -> list[tuple[int, str]]:
    """Log lines after a library prints ``text`` to the file descriptor."""
    caplog.set_level(logging.DEBUG, LOGGER)
    with logged_native_stderr("Library"):
        os.write(2, text)
    return [(level, message) for _, level, message in caplog.record_tuples]


def test_information_is_for_who_debugs(caplog):
    assert spoken(caplog, b"INFO: Created delegate.\n") == [(logging.DEBUG, "Library: INFO: Created delegate.")]


def test_anything_else_is_a_warning(caplog):
    assert spoken(caplog, b"Error in cpuinfo: failed\nINFO: fine\n") == [
        (logging.WARNING, "Library: Error in cpuinfo: failed"),
        (logging.DEBUG, "Library: INFO: fine"),
    ]


def test_what_led_to_an_exception_is_left_to_the_exception(caplog):
    caplog.set_level(logging.DEBUG, LOGGER)

    def fail() -> None:
        with logged_native_stderr("Library"):
            os.write(2, b"ERROR: bad file\n")
            os.close(-1)

    with pytest.raises(OSError, match="Bad file"):
        fail()
    assert [(level, message) for _, level, message in caplog.record_tuples] == [
        (logging.DEBUG, "Library: ERROR: bad file")
    ]


def test_afterwards_stderr_is_stderr_again(capfd):
    with logged_native_stderr("Library"):
        os.write(2, b"caught")
    os.write(2, b"free")
    assert capfd.readouterr().err == "free"


def test_a_process_without_stderr_is_no_trouble():
    code = """
import os
os.close(2)
from fer_edge.vision.interpreter import logged_native_stderr
with logged_native_stderr("Library"):
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout == "done\n"


def test_other_threads_wait_with_what_they_log(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, LOGGER)
    handler = logging.StreamHandler()  # to file descriptor 2, as the daemon's own
    root = logging.getLogger()
    root.addHandler(handler)
    other = threading.Thread(target=lambda: logging.getLogger("camera").warning("running"))
    try:
        with logged_native_stderr("Library"):
            other.start()
            other.join(0.2)
            assert other.is_alive()
        other.join()
    finally:
        root.removeHandler(handler)
    assert "running" in capfd.readouterr().err
    assert [record.message for record in caplog.records if record.name == LOGGER] == []


def test_no_disk_is_needed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert spoken(caplog, b"INFO: fine\n") == [(logging.DEBUG, "Library: INFO: fine")]
