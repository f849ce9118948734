import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.daemon.signals import Signals

TIMEOUT_S = 60.0
# In a subprocess, which the signal would end without `block_reloads`. Prints whether `reload` is set before and within
# `handled`, and whether SIGHUP is blocked afterwards.
BLOCKED = """\
import os, signal
from fer_edge.daemon.signals import Signals, block_reloads
block_reloads()
signals = Signals()
os.kill(os.getpid(), signal.SIGHUP)
before = signals.reload.is_set()
with signals.handled():
    within = signals.reload.is_set()
os.kill(os.getpid(), signal.SIGHUP)
print(before, within, signal.SIGHUP in signal.sigpending())
"""


@pytest.mark.parametrize(
    ("number", "stop", "reload"),
    [(signal.SIGTERM, True, False), (signal.SIGINT, True, False), (signal.SIGHUP, False, True)],
)
def test_signal_sets_its_flag_only_while_it_is_handled(number: int, stop: bool, reload: bool) -> None:  # noqa: FBT001
    signals, before = Signals(), signal.getsignal(number)
    with signals.handled():
        assert not signals.stop.is_set()
        os.kill(os.getpid(), number)
        assert (signals.stop.is_set(), signals.reload.is_set()) == (stop, reload)
    assert signal.getsignal(number) is before


def test_reload_sent_before_signals_are_handled_is_pending_until_then() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False True True\n", "")


@pytest.mark.system
def test_sighup_while_the_daemon_loads_does_not_end_it_and_reloads_later(tmp_path: Path) -> None:
    config, log = tmp_path / "config.yaml", tmp_path / "log"
    config.write_text("camera: {source: /dev/video77}\nmqtt: {port: 1}\n")
    command = [Path(sys.executable).parent / "fer-edge", "run", "--config", config]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as daemon:
        try:
            until(lambda: blocks_sighup(daemon.pid), "a blocked SIGHUP")
            daemon.send_signal(signal.SIGHUP)
            assert log.read_text() == ""  # still loading
            until(lambda: "settings reloaded" in log.read_text() or daemon.poll() is not None, "a reload")
            assert daemon.poll() is None, log.read_text()
        finally:
            daemon.terminate()


# At a terminal: reports its process id when it handles signals, then the flag that the first SIGHUP set. `nohup` leaves
# SIGHUP ignored; the others have its default, also where the tests themselves run under nohup; `loading` gets it while
# it is blocked, before there are handlers.
AT_TERMINAL = """\
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[2] == "nohup" else signal.SIG_DFL)
if sys.argv[2] == "setsid" and os.fork() == 0:
    os.setsid()
elif sys.argv[2] == "setsid":
    sys.exit()
from fer_edge.daemon.signals import Signals, block_reloads
report = open(sys.argv[1], "w", buffering=1)
if sys.argv[2] == "loading":
    block_reloads()
    print(os.getpid(), file=report)
    signal.sigwait({signal.SIGHUP})
    os.kill(os.getpid(), signal.SIGHUP)
signals = Signals()
with signals.handled(), report:
    if sys.argv[2] != "loading":
        print(os.getpid(), file=report)
    while not (signals.stop.is_set() or signals.reload.is_set()):
        signals.stop.wait(0.02)
    print("stop" if signals.stop.is_set() else "reload", file=report)
"""


@pytest.mark.parametrize(
    ("manner", "closes", "meaning"),
    [
        ("plain", True, "stop"),
        ("loading", True, "stop"),
        ("plain", False, "reload"),
        ("nohup", True, "reload"),
        ("setsid", True, "reload"),
    ],
)
def test_closed_terminal_stops_a_process_of_it_and_sighup_reloads_otherwise(
    tmp_path: Path,
    manner: str,
    closes: bool,  # noqa: FBT001
    meaning: str,
) -> None:
    fifo = tmp_path / "report"
    os.mkfifo(fifo)
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-c", AT_TERMINAL, str(fifo), manner]
    daemon = subprocess.Popen(command, stdin=its_end, start_new_session=True)
    os.close(its_end)
    with daemon, fifo.open() as report:
        listener = int(report.readline())
        if closes:
            os.close(terminal)  # the kernel sends SIGHUP to the leader of the terminal's session
        if not closes or listener != daemon.pid:
            os.kill(listener, signal.SIGHUP)
        assert report.readline() == f"{meaning}\n"
    if not closes:
        os.close(terminal)


def blocks_sighup(process: int) -> bool:
    """Return whether the process blocks SIGHUP, proc(5)."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.partition("SigBlk:")[2].split()[0], 16) >> (signal.SIGHUP - 1) & 1)


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, f"timeout: {what}"
        time.sleep(0.001)
