"""Broker on loopback for the demo: mosquitto if it is installed, else amqtt from PyPI."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fer_edge.errors import UserError

LOOPBACK = "127.0.0.1"
MOSQUITTO = "mosquitto"
START_S = 15.0  # amqtt takes 2 s on a desktop, a Raspberry Pi Zero several times that
STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    name: str
    port: int
    protocol: Literal["auto", "3.1.1"]  # amqtt supports 3.1.1 only, and takes seconds to reject an MQTT 5 CONNECT


@contextmanager
def loopback_broker(
    find_program: Callable[..., str | None] = shutil.which, find_module: Callable[[str], object] = find_spec
) -> Iterator[Broker]:
    """Run a broker on loopback only, without a password, on a free port, for the length of the block.

    ``find_program`` and ``find_module`` return None for what is not installed.

    Raises:
        UserError: no broker is installed, or it does not start.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="fer-edge-demo-") as folder:
        name, command = _command(Path(folder), port, find_program, find_module)
        log = Path(folder) / "broker.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(  # noqa: S603
                command,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C ends this process first, the broker last
            ) as process,
        ):
            try:
                _wait_for_port(process, port, name, log)
                yield Broker(name, port, "auto" if name == MOSQUITTO else "3.1.1")
            finally:
                _stop(process)


def _command(
    folder: Path, port: int, find_program: Callable[..., str | None], find_module: Callable[[str], object]
) -> tuple[str, list[str]]:
    """Return the broker's name and command; Debian installs mosquitto outside of a user's PATH."""
    mosquitto = find_program(MOSQUITTO) or find_program(MOSQUITTO, path="/usr/sbin:/usr/local/sbin")
    if mosquitto:
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {port} {LOOPBACK}\nallow_anonymous true\n")
        return MOSQUITTO, [mosquitto, "-c", str(settings)]
    if find_module("amqtt"):
        return "amqtt", [sys.executable, "-m", "fer_edge.demo.amqtt_broker", LOOPBACK, str(port)]
    raise UserError("the demo needs a broker: apt install mosquitto, or pip install 'fer-edge[demo]'")


def _wait_for_port(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    raise UserError(f"{name} does not start: {last[0]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
