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

GIVE_UP_S = 60.0
# In a process of its own: without what is tested the signal ends it. Says whether the reload is heard before, while and
# after it is listened to.
HELD_BACK = """\
import os, signal
from fer_edge.daemon.signals import Signals, hold_reloads
hold_reloads()
signals = Signals()
os.kill(os.getpid(), signal.SIGHUP)
before = signals.reload.is_set()
with signals.heard():
    heard = signals.reload.is_set()
os.kill(os.getpid(), signal.SIGHUP)
print(before, heard, signal.SIGHUP in signal.sigpending())
"""


@pytest.mark.parametrize(
    ("number", "stop", "reload"),
    [(signal.SIGTERM, True, False), (signal.SIGINT, True, False), (signal.SIGHUP, False, True)],
)
def test_signal_sets_its_flag_and_only_while_it_is_listened_to(number: int, stop: bool, reload: bool) -> None:  # noqa: FBT001
    signals, before = Signals(), signal.getsignal(number)
    with signals.heard():
        assert not signals.stop.is_set()
        os.kill(os.getpid(), number)
        assert (signals.stop.is_set(), signals.reload.is_set()) == (stop, reload)
    assert signal.getsignal(number) is before


def test_reload_that_is_asked_for_before_the_daemon_listens_is_heard_when_it_does() -> None:
    done = subprocess.run([sys.executable, "-c", HELD_BACK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False True True\n", "")


@pytest.mark.system
def test_daemon_that_is_told_to_reload_while_it_still_loads_lives_and_reloads(tmp_path: Path) -> None:
    config, log = tmp_path / "config.yaml", tmp_path / "log"
    config.write_text("camera: {source: /dev/video77}\nmqtt: {port: 1}\n")
    command = [Path(sys.executable).parent / "fer-edge", "run", "--config", config]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as daemon:
        try:
            until(lambda: holds_back(daemon.pid), "a held back SIGHUP")
            daemon.send_signal(signal.SIGHUP)
            assert log.read_text() == ""  # it has not even begun
            until(lambda: "settings reloaded" in log.read_text() or daemon.poll() is not None, "a reload")
            assert daemon.poll() is None, log.read_text()
        finally:
            daemon.terminate()


# At a terminal: tells when it listens, then what the first SIGHUP set. `nohup` leaves SIGHUP ignored.
AT_TERMINAL = """\
import fcntl, os, signal, sys, termios
from fer_edge.daemon.signals import Signals
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[2] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
if sys.argv[2] == "setsid" and os.fork() == 0:
    os.setsid()
elif sys.argv[2] == "setsid":
    sys.exit()
signals = Signals()
with signals.heard(), open(sys.argv[1], "w", buffering=1) as report:
    print(os.getpid(), file=report)
    while not (signals.stop.is_set() or signals.reload.is_set()):
        signals.stop.wait(0.02)
    print("stop" if signals.stop.is_set() else "reload", file=report)
"""


@pytest.mark.parametrize(
    ("manner", "closes", "meaning"),
    [
        ("plain", True, "stop"),
        ("plain", False, "reload"),
        ("nohup", True, "reload"),
        ("setsid", True, "reload"),
    ],
)
def test_closed_terminal_ends_what_was_started_from_it_and_sighup_reloads_otherwise(
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


def holds_back(process: int) -> bool:
    """Whether SIGHUP waits for the process, proc(5)."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.partition("SigBlk:")[2].split()[0], 16) >> (signal.SIGHUP - 1) & 1)


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.001)
