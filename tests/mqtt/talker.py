"""A daemon without a camera: says something about staged faces at a steady rate, through the daemon's own delivery.

    python talker.py HOST PORT STATE RUNTIME DURABILITY RATE_HZ

It prints a line when it has begun to talk. On SIGTERM it ends as the daemon does: every face is said to be gone, then
delivery is stopped.
"""

import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from fer_edge.config.model import MqttSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Box, Event, EventKind

THERE = 3  # faces at once
KEEPALIVE_S = 2


def event(kind: EventKind, face: int, reason: str | None = None) -> Event:
    now = time.monotonic()
    emotion = EMOTIONS[face % len(EMOTIONS)]
    scores = np.full(len(EMOTIONS), 1 / len(EMOTIONS), np.float32)
    gone = kind is EventKind.GONE
    return Event(kind, now, face, Box(now % 1, 0, 1, 1), emotion, 0.5, scores, None, 1.0 if gone else None, reason)


def main() -> None:
    host, port, state, runtime, durability, rate_hz = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = MqttSettings(
        host=host, port=int(port), durability=durability, reconnect_max_s=0.2, keepalive_s=KEEPALIVE_S, replay_hz=2000.0
    )
    clocks = Clocks(time.time, time.monotonic, lambda: True)
    folders = Folders(Path(state), Path(runtime))
    topics = Topics("fer_edge", "porch")
    delivery = Delivery(settings, topics, "0123456789", clocks, random.random, folders=folders)
    delivery.start()
    there: list[int] = []
    newest = 0
    while not stop.wait(1 / float(rate_hz)):
        delivery.check(time.monotonic())
        if newest == 1:
            print("talking", flush=True)  # noqa: T201 - whoever started us waits for it
        if len(there) < THERE:
            newest += 1
            there.append(newest)
            delivery.event(event(EventKind.APPEARED, newest))
        elif random.random() < 0.7:
            delivery.event(event(EventKind.CHANGED, random.choice(there)))
        else:
            delivery.event(event(EventKind.GONE, there.pop(0), "left"))
    for face in there:
        delivery.event(event(EventKind.GONE, face, "stopped"))
    delivery.stop(3.0)


if __name__ == "__main__":
    main()
