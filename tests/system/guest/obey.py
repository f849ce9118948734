"""Runs what the tests tell a virtual machine: a JSON line with a shell command in, one with its end out."""

import json
import subprocess
import time
from pathlib import Path

PORTS = "vport*p1"  # the virtio serial port that virtual_machine.py made; named by the kernel


def port() -> Path:
    """The way out to the tests, as soon as the kernel has made it."""
    while not (found := sorted(Path("/dev").glob(PORTS))):
        time.sleep(0.1)
    return found[0]


def main() -> None:
    with port().open("r+b", buffering=0) as way:
        way.write(b'"here"\n')
        for line in iter(way.readline, b""):
            done = subprocess.run(
                ["/bin/sh", "-c", json.loads(line)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            way.write(json.dumps([done.returncode, done.stdout.decode(errors="replace")]).encode() + b"\n")


main()
