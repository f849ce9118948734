"""A Debian with a kernel and devices of its own, in QEMU: what systemd-nspawn, which has ours, cannot show."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.system.machine import TREES, Commanded, cannot_run, tool

PACKAGES = "systemd,systemd-sysv,udev,kmod,dbus,python3,mosquitto,mosquitto-clients"
SUITE = "bookworm"
GUEST = Path(__file__).parent / "guest"
DISK_MIB = 3000  # sparse: what is not written takes no place
MEMORY_MIB = 1024
KVM_S = 20.0  # until a kernel that runs on the processor itself says its first words; emulated it takes three
COMMAND_S = 3600.0  # a single command, some of which work through a film
PATIENCE_S = 900.0  # every instruction is emulated, where other things run too
# The core of a Raspberry Pi 4 has none of the newer instructions, so what runs there runs on the later ones.
QEMU = {
    "amd64": ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"],
}
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
TRIAL_WORDS = "panic=-1 console=ttyS0"
KERNEL_WORDS = "panic=-1 quiet systemd.show_status=0 systemd.default_timeout_start_sec=20min"
# A watchdog of half a minute measures this machine where it has to emulate that one.
PATIENT_UNIT = "[Service]\nTimeoutStartSec=20min\nTimeoutStopSec=2min\nWatchdogSec=10min\n"
OBEY_UNIT = """\
[Unit]
DefaultDependencies=no
After=systemd-modules-load.service systemd-udev-trigger.service
[Service]
Environment=HOME=/root LANG=C.UTF-8
ExecStart=/usr/bin/python3 /root/obey.py
[Install]
WantedBy=sysinit.target
"""


class VirtualMachine(Commanded):
    """Booted from a disk made for it, with the checkout's Debian package installed; commands run in it as root."""

    patience_s = PATIENCE_S

    def __init__(self, arch: str, config: str, files: Mapping[str, Path]) -> None:
        """``config``: the service's settings from the first boot on; ``files``: by their path there."""
        for program in (QEMU[arch][0], "systemd-nspawn", "mke2fs"):
            if not shutil.which(program):
                cannot_run(f"{program} is not installed: make test-system installs it")
        if os.geteuid() != 0:
            cannot_run("making a machine's disk needs root: run the tests as root, or by sudo")
        self.arch = arch
        TREES.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"fer-edge-{arch}.", dir=TREES))
        try:
            disk = self._make_disk(config, files)
            self._boot(disk)
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def done(self, command: str) -> subprocess.CompletedProcess[str]:
        """The ended shell ``command`` with its code, and what it said on both outputs together."""
        self._way.sendall(json.dumps(command).encode() + b"\n")
        code, said = json.loads(self._line())
        return subprocess.CompletedProcess(command, code, said)

    def story(self) -> str:
        """The end of what the machine said on its console, and its journal of the service."""
        console = (self.folder / "console.log").read_text(errors="replace")[-1500:]
        if self.process.poll() is not None:
            return console
        return console + self.done("journalctl -u fer-edge --no-pager -n 40").stdout

    def close(self) -> None:
        """Pulls the plug, and removes the disk."""
        self._pull_the_plug()
        shutil.rmtree(self.folder)

    def _make_disk(self, config: str, files: Mapping[str, Path]) -> Path:
        """A file system with Debian, the kernel's modules, the package of this checkout and what the tests bring."""
        tree, self._kernel = TREES / f"emulated-{SUITE}-{self.arch}", TREES / f"emulated-kernel-{self.arch}"
        tool("machine_tree.sh", SUITE, self.arch, tree, PACKAGES)
        tool("foreign_programs.sh", self.arch)
        tool("machine_kernel.sh", tree, self.arch, self._kernel)
        tool("make_deb.sh", sys.executable, SUITE, self.arch, self.folder, FER_EDGE_DEB_COMPRESSION="none")
        (package,) = self.folder.glob("*.deb")
        disk = self.folder / "disk.ext4"
        root = self.folder / "root"
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        layers = f"lowerdir={tree},upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
        try:
            _furnish(root, package, config, files)
            shutil.copytree(self._kernel / "modules", root / "usr/lib/modules", symlinks=True, dirs_exist_ok=True)
            subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, disk, f"{DISK_MIB}M"], check=True)
        finally:
            subprocess.run(["umount", root], check=True)
        for used in (self.folder / "upper", self.folder / "work"):
            shutil.rmtree(used)
        package.unlink()
        return disk

    def _boot(self, disk: Path) -> None:
        """Switches it on, and waits until it obeys."""
        way = self.folder / "way"
        console = self.folder / "console.log"
        command = [
            *self._machine("kvm" if self._kvm_works() else "tcg,thread=multi", console),
            f"console={CONSOLE[self.arch]} {KERNEL_WORDS}",
            "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe", "-device", "virtio-rng-pci",
            "-chardev", f"socket,id=way,path={way},server=on,wait=on", "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=way",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._way = socket.socket(socket.AF_UNIX)
        self._way.settimeout(COMMAND_S)
        self._rest = b""
        try:
            while self._way.connect_ex(str(way)) != 0:
                assert self.process.poll() is None, f"{command[0]} ended with code {self.process.returncode}"
                time.sleep(0.1)
            assert self._line() == b'"here"'
            self.wait_for("systemctl is-system-running", ("running", "degraded"))
        except BaseException:
            self._pull_the_plug()
            raise

    def _machine(self, accelerator: str, console: Path) -> list[str]:
        """QEMU command line without the further kernel arguments, which come last, and the devices."""
        return [
            *QEMU[self.arch], "-accel", accelerator, "-smp", "2", "-m", str(MEMORY_MIB), "-nodefaults", "-no-reboot",
            "-display", "none", "-serial", f"file:{console}",
            "-kernel", str(self._kernel / "vmlinuz"), "-initrd", str(self._kernel / "initrd"), "-append",
        ]  # fmt: skip

    def _kvm_works(self) -> bool:
        """Return whether this machine's own processor can run that one.

        A /dev/kvm says little where this machine is itself a virtual one: seen were a register that could not be set,
        and a kernel that never said a word. So it is tried.
        """
        if not (self.arch == "amd64" and os.uname().machine == "x86_64" and os.access("/dev/kvm", os.W_OK)):
            return False
        console = self.folder / "kvm.log"
        trial = subprocess.Popen([*self._machine("kvm", console), TRIAL_WORDS], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + KVM_S
        try:
            while trial.poll() is None and time.monotonic() < deadline:
                if console.exists() and b"Linux version" in console.read_bytes():
                    return True
                time.sleep(0.1)
            return False
        finally:
            trial.kill()
            trial.wait(60.0)

    def _pull_the_plug(self) -> None:
        self.process.kill()
        self.process.wait(60.0)
        self._way.close()

    def _line(self) -> bytes:
        """The next line that the machine sent."""
        while b"\n" not in self._rest:
            got = self._way.recv(65536)
            assert got, f"the machine died:\n{(self.folder / 'console.log').read_text(errors='replace')[-3000:]}"
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _furnish(root: Path, package: Path, config: str, files: Mapping[str, Path]) -> None:
    """Installs the package by the tree's own dpkg, and puts everything else to its place."""
    shutil.copy(package, root / "root/fer-edge.deb")
    shutil.copy(GUEST / "obey.py", root / "root/obey.py")
    units = root / "etc/systemd/system"
    (units / "fer-edge.service.d").mkdir()
    for file, text in {
        root / "etc/hostname": "porch\n",
        root / "etc/hosts": "127.0.0.1 localhost porch\n::1 localhost\n",
        root / "etc/fstab": "/dev/vda / ext4 rw 0 1\n",
        root / "etc/modules-load.d/tests.conf": "virtio_console\nvivid\n",
        root / "etc/modprobe.d/tests.conf": "options vivid n_devs=1 node_types=0x1\n",  # one that captures, no outputs
        units / "obey.service": OBEY_UNIT,
        units / "fer-edge.service.d/patient.conf": PATIENT_UNIT,
    }.items():
        file.write_text(text)
    command = [
        "systemd-nspawn", "--quiet", "--directory", str(root), "--register=no", "--keep-unit", "--as-pid2", "--pipe",
        "--resolv-conf=off", "--timezone=off", "/bin/sh", "-c",
        "dpkg --install /root/fer-edge.deb && rm /root/fer-edge.deb && systemctl enable obey",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (root / "etc/fer-edge/config.yaml").write_text(config)  # written in place: what the package set stays
    for there, file in files.items():
        target = root / there.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if file.is_dir() else shutil.copy)(file, target)
