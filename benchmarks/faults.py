"""Campaign of seeded random faults against delivery, with independent bookkeeping.

    .venv/bin/python benchmarks/faults.py --faults 2000 --seed 1

A daemon without a camera publishes 100 events per second through a relay to mosquitto, with a permanent subscriber.
Faults hit broker, link, process, disk, memory and clock. The daemon prints the id of each event; in the end each must
have been received, or be in the range of a received gap. No code of `fer-edge events --audit` is used. Exits with 1 if
an event is missing without a gap, or an id was received with two contents. As root it also fills a disk: the state
folder is a small tmpfs then.
"""

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from fer_edge.config.model import MqttSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Box, Event, EventKind

LOOPBACK = "127.0.0.1"
TOPICS = Topics("fer_edge", "faults")
NAME = "fer_edge-faults"
RATE_HZ = 100.0
FACES = 3  # open at once
DISK_KIB = 4096
GIVE_UP_S = 60.0
BROKER = ("allow_anonymous true", "max_inflight_messages 0", "max_queued_messages 0", "persistence false")


def publish(port: int, state: Path, runtime: Path, durability: str) -> None:
    """Publish events until SIGTERM and print their ids; a number on stdin steps the wall clock by it."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    step_s = [0.0]
    values = {"host": LOOPBACK, "port": port, "durability": durability, "keepalive_s": 5, "replay_hz": 5000.0}
    settings = msgspec.structs.replace(msgspec.convert(values, MqttSettings), keepalive_s=2, reconnect_max_s=0.2)
    clocks = Clocks(lambda: time.time() + step_s[0], time.monotonic, lambda: True)
    delivery = Delivery(settings, TOPICS, "0" * 8, clocks, random.random, folders=Folders(state, runtime))
    delivery.start()
    faces: list[int] = []
    newest = 0
    while not stop.wait(1 / RATE_HZ):
        delivery.check(time.monotonic())
        if select.select([sys.stdin], [], [], 0)[0]:
            step_s[0] += float(sys.stdin.readline() or 0)
        kind, face = EventKind.CHANGED, faces[-1] if faces else 0
        if len(faces) < FACES:
            newest += 1
            faces.append(newest)
            kind, face = EventKind.APPEARED, newest
        elif random.random() < 0.3:  # noqa: PLR2004
            kind, face = EventKind.GONE, faces.pop(0)
        publish_event(delivery, kind, face)
    for face in faces:
        publish_event(delivery, EventKind.GONE, face)
    delivery.stop(3.0)


def publish_event(delivery: Delivery, kind: EventKind, face: int) -> None:
    """Publish one event and print its id."""
    scores = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS), np.float32)
    delivery.event(
        Event(kind, time.monotonic(), face, Box(0.1, 0.2, 0.3, 0.4), "happy", 0.5, scores, None, 1.0, "left")
    )
    print(delivery.messages.newest, flush=True)


class Relay:
    """Network between daemon and broker: it can be cut, or stall while connected (half-open)."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        self.passes = threading.Event()
        self.is_up = False
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def join(self) -> None:
        """Forward data."""
        self.passes.set()
        self.is_up = True

    def cut(self) -> None:
        """Close every connection, and new ones at once."""
        self.is_up = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends = []

    def _accept(self) -> None:
        while True:
            client, _ = self._server.accept()
            with contextlib.suppress(OSError):
                if not self.is_up:
                    client.close()
                    continue
                broker = socket.create_connection((LOOPBACK, self._broker_port))
                self._ends += [client, broker]
                for one, other in ((client, broker), (broker, client)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.passes.wait()
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Campaign:
    """Broker, relay, subscriber and daemon, and the faults."""

    def __init__(self, folder: Path, seed: int, durability: str) -> None:
        self._random = random.Random(seed)
        self._folder, self._durability = folder, durability
        self.state, self.runtime = folder / "state", folder / "run"
        self.runtime.mkdir(mode=0o700)
        self._is_small = self._mount()
        self._is_disk_hurt = False
        with socket.create_server((LOOPBACK, 0)) as free:
            self._port = free.getsockname()[1]
        self._relay = Relay(self._port)
        self._made: dict[str, int] = {}  # id: number of its run
        self._runs: list[str] = []
        self._received: dict[str, str] = {}
        self._gaps: list[dict[str, Any]] = []
        self._conflicts: list[str] = []
        self._subscribed = threading.Event()
        self._broker: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[str] | None = None
        self._subscriber: mqtt.Client | None = None
        self._start_broker()
        self._start_daemon()

    def run(self, faults: int, only: list[str]) -> Counter[str]:
        """Run ``faults`` faults, of all kinds or ``only`` some, then wait for delivery; return the count of each."""
        happened: Counter[str] = Counter()
        kinds: list[Callable[[], None]] = [
            self.broker_killed, self.broker_hangs, self.link_cut, self.link_half_open, self.daemon_killed,
            self.daemon_killed_in_an_outage, self.daemon_stopped, self.daemon_sleeps, self.clock_steps,
            self.state_deleted, self.store_replaced, self.store_damaged, self.log_cut, self.state_is_no_folder,
            self.journal_deleted, self.plug_pulled,
        ]  # fmt: skip
        if self._is_small:
            kinds.append(self.disk_full)
        if self._durability == "memory":  # without the memory, loss is expected
            kinds = [kind for kind in kinds if kind not in (self.plug_pulled, self.journal_deleted)]
        kinds = [kind for kind in kinds if not only or kind.__name__ in only]
        for number in range(faults):
            fault = self._random.choice(kinds)
            happened[fault.__name__] += 1
            progress = f"{number + 1} {fault.__name__}: {len(self._made)} made, {len(self._received)} received"
            print(progress, file=sys.stderr, flush=True)
            fault()
            for left in (*self.state.parent.rglob("*.corrupt"), *self.state.parent.rglob("*.old")):
                left.unlink()
            self._pause(0.3)
        self._stop_daemon(signal.SIGTERM)
        self._relay.join()
        before = len(self._runs)
        self._start_daemon()
        ends_at = time.monotonic() + GIVE_UP_S
        while not any(one.startswith(run) for run in self._runs[before:] for one in list(self._received)):
            if time.monotonic() > ends_at:
                raise SystemExit("the events of the last run do not arrive")
            time.sleep(0.1)
        self._stop_daemon(signal.SIGTERM)
        self._settle()
        return happened

    def verdict(self) -> tuple[dict[str, int], list[str]]:
        """Return figures, and every id that is missing without a gap or was received with two contents."""
        missing = [one for one in self._made if one not in self._received]
        silent = [one for one in missing if not any(self._names(gap, one) for gap in self._gaps)]
        figures = {
            "runs": len(self._runs),
            "made": len(self._made),
            "received": len(self._received),
            "named": len(missing) - len(silent),
            "unannounced": len(silent),
            "conflicts": len(self._conflicts),
        }
        return figures, silent + self._conflicts

    def close(self) -> None:
        """End everything."""
        for process in (self._daemon, self._broker):
            if process is not None:
                process.kill()
                process.wait()
        if self._is_small:
            subprocess.run(["umount", "-l", self.state.parent], check=False)

    # Faults.

    def broker_killed(self) -> None:
        self._relay.cut()
        self._settle()
        self._stop_broker()
        self._pause(0.5)
        self._start_broker()

    def broker_hangs(self) -> None:
        assert self._broker is not None
        self._broker.send_signal(signal.SIGSTOP)
        self._pause(1.0)
        self._broker.send_signal(signal.SIGCONT)

    def link_cut(self) -> None:
        self._relay.cut()
        self._pause(self._random.choice((0.1, 3.0)))
        self._relay.join()

    def link_half_open(self) -> None:
        self._relay.passes.clear()
        self._pause(self._random.choice((0.5, 6.0)))
        self._relay.passes.set()

    def daemon_killed(self) -> None:
        self._stop_daemon(signal.SIGKILL)
        self._start_daemon()

    def daemon_killed_in_an_outage(self) -> None:
        self._relay.cut()
        self._pause(3.0)
        self._stop_daemon(signal.SIGKILL)
        self._relay.join()
        self._start_daemon()

    def daemon_stopped(self) -> None:
        if self._random.random() < 0.5:  # noqa: PLR2004  with and without a broker
            self._relay.cut()
        self._stop_daemon(signal.SIGTERM)
        self._relay.join()
        self._start_daemon()

    def daemon_sleeps(self) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)
        self._pause(2.0)
        self._daemon.send_signal(signal.SIGCONT)

    def clock_steps(self) -> None:
        assert self._daemon is not None
        assert self._daemon.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._daemon.stdin.write(f"{self._random.uniform(-4e6, 4e6)}\n")
            self._daemon.stdin.flush()

    def state_deleted(self) -> None:
        self._outage(lambda: shutil.rmtree(self.state, ignore_errors=True))

    def store_replaced(self) -> None:
        store = self.state / f"{NAME}.db"

        def replace() -> None:
            with contextlib.suppress(OSError):
                store.rename(store.with_suffix(".old"))
                store.write_bytes(b"")

        self._outage(replace)

    def store_damaged(self) -> None:
        self._outage(lambda: self._damage(self.state / f"{NAME}.db"), kill=True)

    def log_cut(self) -> None:
        def cut() -> None:
            with contextlib.suppress(OSError):
                log = self.state / f"{NAME}.db-wal"
                os.truncate(log, self._random.randrange(log.stat().st_size + 1))

        self._outage(cut, kill=True)

    def state_is_no_folder(self) -> None:
        def block() -> None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self.state, ignore_errors=True)
                self.state.write_bytes(b"")

        self._outage(block)
        with contextlib.suppress(OSError):
            self.state.unlink()

    def disk_full(self) -> None:
        fill = self.state.parent / "fill"
        with contextlib.suppress(OSError):
            fill.write_bytes(bytes(DISK_KIB * 1024))
        self._outage(lambda: None)
        fill.unlink(missing_ok=True)

    def journal_deleted(self) -> None:
        self._recovered()
        self._outage(self._delete_runtime)

    def plug_pulled(self) -> None:
        """Power loss: everything in memory is lost with the process."""
        self._recovered()
        self._relay.cut()
        self._pause(3.0)
        self._stop_daemon(signal.SIGKILL)
        self._delete_runtime()
        self._relay.join()
        self._start_daemon()

    # Parts.

    def _recovered(self) -> None:
        """Wait until the disk works again: losing memory and disk at once is not covered."""
        made = len(self._made)
        ends_at = time.monotonic() + GIVE_UP_S
        while len(self._made) == made and time.monotonic() < ends_at:
            time.sleep(0.1)
        time.sleep(12.0 if self._is_disk_hurt else 1.5)  # a failed disk is retried after 10 s
        self._is_disk_hurt = False

    def _outage(self, harm: Callable[[], None], *, kill: bool = False) -> None:
        """Do harm in an outage, while rows are on disk; with ``kill`` while the daemon is stopped."""
        self._relay.cut()
        self._pause(3.0)
        if kill:
            self._stop_daemon(signal.SIGKILL)
        self._is_disk_hurt = True
        harm()
        if kill:
            self._start_daemon()
        self._pause(1.5)
        self._relay.join()

    def _damage(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            data = bytearray(path.read_bytes())
            for _ in range(self._random.choice((1, 1, 1000)) if data else 0):
                data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
            path.write_bytes(data)

    def _delete_runtime(self) -> None:
        for path in self.runtime.iterdir():
            path.unlink()

    def _pause(self, most_s: float) -> None:
        time.sleep(self._random.uniform(0.1, 1.0) * most_s)

    def _mount(self) -> bool:
        disk = self._folder / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "fer-edge-faults", str(disk)]
        self.state = disk / "state"
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _start_daemon(self) -> None:
        arguments = (self._relay.port, self.state, self.runtime, self._durability)
        command = [sys.executable, __file__, "--child", json.dumps([str(one) for one in arguments])]
        with (self._folder / "daemon.log").open("a") as log:
            self._daemon = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._reader = threading.Thread(target=self._read, args=(self._daemon,), daemon=True)
        self._reader.start()
        made = len(self._made)
        starts = self._random.random() < 0.2  # noqa: PLR2004  some faults happen during the start
        while not starts and len(self._made) == made and self._daemon.poll() is None:
            time.sleep(0.1)

    def _stop_daemon(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        if (code := self._daemon.poll()) is not None:
            raise SystemExit(f"the daemon ended unexpectedly ({code}): see {self._folder / 'daemon.log'}")
        self._daemon.send_signal(number)
        self._daemon.wait(GIVE_UP_S)
        self._reader.join()

    def _read(self, daemon: subprocess.Popen[str]) -> None:
        assert daemon.stdout is not None
        for line in daemon.stdout:
            run = line.partition("-")[0]
            if run not in self._runs[-1:]:
                self._runs.append(run)
            self._made[line.strip()] = len(self._runs)

    def _start_broker(self) -> None:
        config = self._folder / "mosquitto.conf"
        user = ["user root"] if os.geteuid() == 0 else []
        config.write_text("\n".join([f"listener {self._port} {LOOPBACK}", *BROKER, *user]) + "\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._broker = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
        self._subscribed.clear()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._take
        for _ in range(100):
            with contextlib.suppress(OSError):
                client.connect(LOOPBACK, self._port)
                break
            time.sleep(0.05)
        client.on_connect = lambda *_: client.subscribe(TOPICS.event, qos=1) and None
        client.loop_start()
        if not self._subscribed.wait(GIVE_UP_S):
            raise SystemExit("the subscriber could not subscribe")
        self._subscriber = client
        self._relay.join()

    def _stop_broker(self) -> None:
        assert self._broker is not None
        assert self._subscriber is not None
        self._subscriber.loop_stop()
        self._broker.kill()
        self._broker.wait()

    def _settle(self) -> None:
        """Wait until the subscriber has received nothing for half a second."""
        count = -1
        while count != len(self._received):
            count = len(self._received)
            time.sleep(0.5)

    def _take(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        event = json.loads(message.payload)
        if event["event_type"] == "gap":
            self._gaps.append(event)
            return
        event.pop("replayed")
        content = json.dumps(event)
        if self._received.setdefault(event["id"], content) != content:
            self._conflicts.append(event["id"])

    def _names(self, gap: dict[str, Any], one: str) -> bool:
        """Return whether a gap covers an id; one of unknown runs covers the runs before its own."""
        run, _, seq = one.rpartition("-")
        missing = gap["missing"]
        if missing["boot"] is None:
            own = gap["id"].rpartition("-")[0]
            return run != own and (own not in self._runs or self._runs.index(run) < self._runs.index(own))
        first, last = missing["from"] or 1, missing["to"] or float("inf")
        return bool(run == missing["boot"] and first <= int(seq) <= last)


def main() -> None:
    """Run the campaign and print its figures; exit with 1 if an event is missing without a gap."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", default="default", choices=("default", "strict", "memory"))
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        port, state, runtime, durability = json.loads(arguments.child)
        publish(int(port), Path(state), Path(runtime), durability)
        return
    folder = Path(tempfile.mkdtemp(prefix="fer-edge-faults-"))
    campaign = Campaign(folder, arguments.seed, arguments.durability)
    try:
        happened = campaign.run(arguments.faults, arguments.only)
        figures, silent = campaign.verdict()
    finally:
        campaign.close()
    print(f"seed {arguments.seed}, {arguments.durability}: {arguments.faults} faults")
    print(", ".join(f"{name} {count}" for name, count in sorted(happened.items())))
    print(", ".join(f"{name} {count}" for name, count in figures.items()))
    for one in silent[:: max(1, len(silent) // 20)]:
        print(f"missing without a gap, or received with two contents: {one}")
    if not silent:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(silent))


if __name__ == "__main__":
    main()
