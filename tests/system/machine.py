"""A Debian that is really booted, in systemd-nspawn: a throw-away layer over a tree that was made once."""

import abc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TREES = REPOSITORY / ".machines"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,pipx,mosquitto,mosquitto-clients"
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
BOOT_S = 180.0  # far beyond what a boot takes, ten seconds, even where ten other things run
COMMAND_S = 600.0
BROKER_PORT = 1883  # of the broker in the machine, which may have to share this one's network
CAP_NET_ADMIN = 12  # <linux/capability.h>


def cannot_run(word: str) -> None:
    """Skips with a clear word, or fails where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(word)
    pytest.skip(word)


def may_administer_networks() -> bool:
    """Return whether a network namespace can have a loopback device; some containers forbid it."""
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return bool(int(words["CapEff"], 16) >> CAP_NET_ADMIN & 1)


def taken(port: int) -> bool:
    """Return whether something listens on that loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tool(name: str, *arguments: object, **environment: str) -> None:
    """Runs one of tools/, which say themselves what they do and what is wrong."""
    command = [str(REPOSITORY / "tools" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, f"tools/{name}: {done.stdout}{done.stderr}"


class Commanded(abc.ABC):
    """A booted system in which commands run as root, however they get there."""

    process: subprocess.Popen[bytes]
    patience_s = 180.0
    """Time limit for something that happens by itself."""

    @abc.abstractmethod
    def done(self, command: str) -> subprocess.CompletedProcess[str]:
        """The ended shell ``command`` with its code, and what it said on both outputs together."""

    @abc.abstractmethod
    def story(self) -> str:
        """The end of what the machine said on its console, and its journal of the service."""

    def run(self, command: str, *, check: bool = True) -> str:
        """Both outputs of the shell ``command``; fails if it fails, unless ``check`` is false."""
        done = self.done(command)
        assert not check or done.returncode == 0, f"{command}: code {done.returncode}: {done.stdout}"
        return done.stdout.strip()

    def wait_for(self, command: str, wanted: str | tuple[str, ...], limit_s: float | None = None) -> str:
        """Repeats ``command`` until what it says holds (one of) ``wanted``; gives what it said."""
        words = (wanted,) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + (limit_s or self.patience_s)
        said = ""
        while not any(word in said for word in words):
            assert time.monotonic() < deadline, f"{command} never said {words}, at last {said!r}\n{self.story()}"
            assert self.process.poll() is None, f"the machine died:\n{self.story()}"
            time.sleep(0.2)
            said = self.run(command, check=False)
        return said

    def write(self, path: str, text: str) -> None:
        """Makes a file in the machine hold ``text``."""
        self.run(f"mkdir -p $(dirname {path}); cat > {path} <<'END-OF-FILE'\n{text}\nEND-OF-FILE")


class Machine(Commanded):
    """Booted from the tree of ``suite``, where it can be with no network but its own; commands run in it as root."""

    def __init__(self, suite: str, shown: Mapping[str, Path]) -> None:
        """``shown``: folders of this machine that are seen in that one, read-only, by their path there."""
        alone = ["--private-network"] if may_administer_networks() else []
        if not alone and taken(BROKER_PORT):
            cannot_run(f"port {BROKER_PORT} is taken, and a network of the machine's own takes CAP_NET_ADMIN")
        self.suite = suite
        self.shared = Path(tempfile.mkdtemp(prefix=f"fer-edge-{suite}."))
        for name in ("upper", "work", "root"):
            (self.shared / name).mkdir()
        self.root = self.shared / "root"
        layers = f"lowerdir={TREES / f'{suite}-amd64'},upperdir={self.shared / 'upper'},workdir={self.shared / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        # What an installer of Debian writes, and debootstrap does not.
        (self.root / "etc/hostname").write_text("porch\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost porch\n::1 localhost\n")
        binds = [f"--bind-ro={folder}:{there}" for there, folder in shown.items()]
        console = (self.shared / "console.log").open("wb")
        command = [
            "systemd-nspawn", "--quiet", "--directory", str(self.root), "--register=no", "--keep-unit", "--boot",
            "--machine", f"{suite}-{os.getpid()}", "--console=pipe", *alone,
            "--resolv-conf=off", "--timezone=off", *binds,
            # nspawn forbids even to ask about the clock, which a machine may; without CAP_SYS_TIME nothing sets it.
            "--system-call-filter=adjtimex clock_adjtime",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        console.close()

    def wait_until_up(self) -> None:
        """Returns when the boot is over."""
        self.wait_for("systemctl is-system-running", ("running", "degraded"), limit_s=BOOT_S)

    def done(self, command: str) -> subprocess.CompletedProcess[str]:
        """The ended shell ``command`` with its code, and what it said on both outputs together."""
        first = self._first_process()
        if not first:
            return subprocess.CompletedProcess(command, 1, "the machine does not run")
        entered = ["nsenter", "--target", str(first), "--all", "sh", "-c", command]
        given = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/root",
        }
        return subprocess.run(
            entered, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            timeout=COMMAND_S, env=given, check=False,
        )  # fmt: skip

    def story(self) -> str:
        """The end of what the machine said on its console, and its journal of the service."""
        console = (self.shared / "console.log").read_text(errors="replace")[-1500:]
        if self.process.poll() is not None or not self._first_process():
            return console
        return console + self.done("journalctl -u fer-edge --no-pager -n 40").stdout

    def copy(self, file: Path, path: str) -> None:
        """Brings a file of this machine into that one."""
        with file.open("rb") as content:
            entered = ["nsenter", "--target", str(self._first_process()), "--all", "tee", path]
            subprocess.run(entered, stdin=content, stdout=subprocess.DEVNULL, check=True)

    def pull_the_plug(self) -> None:
        """Ends the machine at once; what it wrote stays in `root` until `close`."""
        if self.process.poll() is None:
            # An orderly shutdown takes half a minute, and all is thrown away.
            os.kill(self._first_process() or self.process.pid, signal.SIGKILL)
            self.process.wait(60.0)

    def close(self) -> None:
        """Ends the machine, and removes all that it wrote."""
        self.pull_the_plug()
        subprocess.run(["umount", self.root], check=True)
        shutil.rmtree(self.shared)

    def _first_process(self) -> int:
        """The machine's process 1 by its number out here; 0 while there is none."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split() if children.exists() else ():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        return 0
