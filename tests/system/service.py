"""State and logs of the service on a booted machine, and faults to inject into it."""

import json
from collections.abc import Mapping
from typing import Any

from tests.system.machine import Commanded

DROP_INS = "/etc/systemd/system/fer-edge.service.d"
STATUS = "systemctl show -P StatusText fer-edge"
ORDERS = "/var/lib/fer-edge/order"  # guest/misbehaving.py


def shown(machine: Commanded) -> Mapping[str, str]:
    """All that systemd says of the service, by systemd's names."""
    return dict(line.split("=", 1) for line in machine.run("systemctl show fer-edge").splitlines() if "=" in line)


def heard(machine: Commanded, topic: str) -> Any:
    """The next message of a topic, or the one that is retained."""
    limit_s = round(machine.patience_s)
    said = machine.run(f"mosquitto_sub -h localhost -q 1 -C 1 -W {limit_s} -t fer_edge/porch/{topic}")
    return json.loads(said) if said.startswith("{") else said


def log(machine: Commanded) -> str:
    """Log lines of the service and of systemd since its latest start."""
    return machine.run("journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID fer-edge)")


def misbehave(machine: Commanded, *more: str, limit_s: float = 4.0) -> None:
    """Starts the daemon so that its threads follow orders; ``limit_s`` is how long they may be silent then."""
    program = machine.run(r"systemctl show -P ExecStart fer-edge | sed 's/.*path=\([^ ;]*\).*/\1/' | xargs readlink -f")
    python = program.removesuffix("fer-edge") + "python3"
    command = f"{python} /project/tests/system/guest/misbehaving.py run --config /etc/fer-edge/config.yaml"
    lines = ["[Service]", "ExecStart=", f"ExecStart={command}", f"Environment=LIMIT_S={limit_s}", "RestartSec=100ms"]
    machine.write(f"{DROP_INS}/misbehave.conf", "\n".join([*lines, *more]))
    machine.run("systemctl daemon-reload; systemctl restart fer-edge")
    machine.wait_for(STATUS, "frames ok")


def order(machine: Commanded, words: str) -> None:
    """Gives an order, and takes it back when the service was started anew."""
    before = int(shown(machine)["NRestarts"])
    machine.run(f"echo {words} > {ORDERS}")
    machine.wait_for(f"test $(systemctl show -P NRestarts fer-edge) -gt {before} && echo anew", "anew")
    machine.run(f"rm {ORDERS}")
    machine.wait_for(STATUS, "frames ok")
