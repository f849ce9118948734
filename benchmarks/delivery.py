"""Cost of delivery: events per second compared with plain paho, latency to a subscriber, bytes written to disk.

    .venv/bin/python benchmarks/delivery.py

Throughput: the same events, encoded as JSON and published with QoS 1 by plain paho (its own thread and queue, 20 in
flight) and by the daemon's delivery (numbered, journalled, with expiry), up to the last acknowledgement. Both sides
alternate, each in a process of its own; the ratio counts. Latency: events at a camera's rate from a process of their
own, timed at a subscriber, without the analysis of the frame. Bytes: write_bytes of the process (/proc/self/io), so the
store's folder must be on a disk: set --folder if the temporary folder is a tmpfs.
"""

import argparse
import atexit
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from fer_edge.config.model import MqttSettings
from fer_edge.daemon.directories import runtime_folder
from fer_edge.demo.broker import LOOPBACK, loopback_broker
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks, Messages
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.client import Subscriber
from fer_edge.types import Box, Event, EventKind

TOPICS = Topics("fer_edge", "benchmark")
CLOCKS = Clocks(time.time, time.monotonic, lambda: True)
NO_BROKER = 1  # a loopback port without a broker
SMALLEST_RATIO = 0.7
LARGEST_P99_MS = 100.0
GIVE_UP_S = 120.0
DURABILITIES = ("default", "strict", "memory")


def event(face: int) -> Event:
    """Return an event: 1 of 10 is `face_appeared`, 1 is `face_gone`."""
    scores = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS), np.float32)
    kinds = {0: EventKind.APPEARED, 9: EventKind.GONE}
    kind = kinds.get(face % 10, EventKind.CHANGED)
    return Event(kind, time.monotonic(), face // 10, Box(0.1, 0.2, 0.3, 0.4), "happy", 0.9, scores, "sad", 1.5)


def until(holds: Callable[[], bool]) -> None:
    """Wait until ``holds()``; exit after GIVE_UP_S."""
    ends_at = time.monotonic() + GIVE_UP_S
    while not holds():
        if time.monotonic() > ends_at:
            raise SystemExit(f"gave up after {GIVE_UP_S:g} s")
        time.sleep(0.002)


def make_delivery(port: int, durability: str, folder: Path | None) -> Delivery:
    """Return the daemon's delivery, connected unless on NO_BROKER."""
    settings = msgspec.convert(
        {"host": LOOPBACK, "port": port, "durability": durability, "queue": 1000000, "queue_mib": 1024}, MqttSettings
    )
    # A runtime directory of its own: the next run would send what is left in the journal.
    runtime = runtime_folder()
    own = None if folder is None or runtime is None else Path(tempfile.mkdtemp(prefix="benchmark-", dir=runtime))
    if own is not None:
        atexit.register(shutil.rmtree, own, ignore_errors=True)
    folders = Folders(folder, own)
    delivery = Delivery(settings, TOPICS, "0" * 64, CLOCKS, random.random, folders=folders)
    delivery.start()
    if port != NO_BROKER:
        until(lambda: delivery.state(time.monotonic()).connected)
    return delivery


def our_rate(port: int, count: int, durability: str, folder: Path) -> float:
    """Return events per second up to the last acknowledgement."""
    delivery = make_delivery(port, durability, folder)
    began = time.monotonic()
    for face in range(count):
        delivery.event(event(face))
    until(lambda: delivery.state(0.0).outbox.acknowledged == count)
    rate = count / (time.monotonic() - began)
    delivery.stop(3.0)
    return rate


def plain_rate(port: int, count: int) -> float:
    """Return events per second of plain paho with the same payloads."""
    messages = Messages(TOPICS, "0" * 64, "b00tb00t", CLOCKS, 604800)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    acknowledged: list[None] = []
    client.on_publish = lambda *_: acknowledged.append(None)
    client.connect(LOOPBACK, port)
    client.loop_start()
    until(client.is_connected)
    began = time.monotonic()
    for face in range(count):
        client.publish(TOPICS.event, messages.event(event(face)).payload, qos=1)
    until(lambda: len(acknowledged) == count)
    rate = count / (time.monotonic() - began)
    client.disconnect()
    client.loop_stop()
    return rate


def written_bytes() -> int:
    """Return the bytes that this process has written to disks."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


def written(port: int, count: int, durability: str, folder: Path, rate_hz: float) -> int:
    """Return bytes written for ``count`` events at a steady rate, without start and stop."""
    delivery = make_delivery(port, durability, folder)
    before = written_bytes()
    publish(delivery, count, rate_hz)
    if port == NO_BROKER:
        until(lambda: durability == "memory" or delivery.state(0.0).outbox.stored == count)
    else:
        until(lambda: delivery.state(0.0).outbox.acknowledged == count)
        time.sleep(2.5)  # acknowledged rows are deleted within two seconds
    after = written_bytes()
    delivery.stop(0.5)
    return after - before


def publish(delivery: Delivery, count: int, rate_hz: float) -> None:
    """Publish events at a camera's rate."""
    next_at = time.monotonic()
    for face in range(count):
        next_at += 1.0 / rate_hz
        time.sleep(max(0.0, next_at - time.monotonic()))
        delivery.event(event(face))


def pace(port: int, count: int, durability: str, folder: Path, rate_hz: float) -> int:
    """Publish events for a subscriber in another process; return their number."""
    delivery = make_delivery(port, durability, folder)
    publish(delivery, count, rate_hz)
    delivery.stop(3.0)
    return count


TASKS: dict[str, Callable[..., float]] = {"ours": our_rate, "plain": plain_rate, "written": written, "pace": pace}


def child(task: str, *arguments: Any) -> list[str]:
    """Return the command that runs one task in a process of its own."""
    return [sys.executable, __file__, "--child", json.dumps([task, *map(str, arguments)])]


def run_child(task_json: str) -> None:
    """Run the task and print its figure."""
    task, *words = json.loads(task_json)
    kinds = (int, int, str, Path, float)
    print(TASKS[task](*(kind(word) for kind, word in zip(kinds, words, strict=False))))


def in_child(task: str, *arguments: Any) -> float:
    """Return the figure of one task, run in a process of its own."""
    result = subprocess.run(child(task, *arguments), capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{task} failed:\n{result.stderr}")
    return float(result.stdout)


def latencies_ms(port: int, count: int, durability: str, folder: Path, rate_hz: float) -> list[float]:
    """Return milliseconds from each event to a subscriber, with the resolution of the event's `time`."""
    taken: list[float] = []
    with Subscriber(MqttSettings(host=LOOPBACK, port=port), "listener", (TOPICS.event,)) as subscription:
        command = child("pace", port, count, durability, folder, rate_hz)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as daemon:
            while len(taken) < count and daemon.poll() in (None, 0):
                for message in subscription.receive(0.1):
                    now = time.time()
                    published_at = datetime.fromisoformat(msgspec.json.decode(message.payload)["time"]).timestamp()
                    taken.append(1000.0 * (now - published_at))
    return taken


def main() -> None:
    """Measure and print the table; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000, help="for each throughput run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side, alternating")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each latency run, at 15 events/s")
    parser.add_argument("--folder", type=Path, help="for the store, on a disk; default: a temporary one")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_child(arguments.child)
        return
    with loopback_broker() as broker, tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        missed = measure(Console(), broker.port, Path(folder), arguments)
    sys.exit(missed)


def measure(console: Console, port: int, folder: Path, arguments: argparse.Namespace) -> bool:
    """Print every figure; return whether a target was missed."""
    rates: dict[str, list[float]] = {"plain": [], **{durability: [] for durability in DURABILITIES}}
    for _ in range(arguments.rounds):
        rates["plain"].append(in_child("plain", port, arguments.events))
        for durability in DURABILITIES:
            rates[durability].append(in_child("ours", port, arguments.events, durability, folder))
    table = Table(
        title=f"{arguments.events} events, {arguments.rounds} alternating rounds, medians; KiB per 1000 events"
    )
    for column in (
        "",
        "events/s",
        "vs paho",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "KiB connected",
        "KiB outage",
    ):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("plain paho", f"{statistics.median(rates['plain']):.0f}", "1", "", "", "", "", "")
    missed = False
    for durability in DURABILITIES:
        ratio = statistics.median(one / other for one, other in zip(rates[durability], rates["plain"], strict=True))
        taken = latencies_ms(port, round(15 * arguments.seconds), durability, folder, 15.0)
        percentiles = np.percentile(taken, (50, 95, 99))
        connected = in_child("written", port, 1000, durability, folder, 50.0)
        outage = in_child("written", NO_BROKER, 1000, durability, folder / durability, 50.0)
        table.add_row(
            durability,
            f"{statistics.median(rates[durability]):.0f}",
            f"{ratio:.2f}",
            *(f"{value:.1f}" for value in percentiles),
            f"{connected / 1024:.0f}",
            f"{outage / 1024:.0f}",
        )
        missed |= percentiles[2] > LARGEST_P99_MS or (durability == "default" and ratio < SMALLEST_RATIO)
    console.print(table)
    return bool(missed)


if __name__ == "__main__":
    main()
