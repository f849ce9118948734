"""Memory growth of the daemon: an hour on a looping clip with a real broker, and the slope.

    .venv/bin/python benchmarks/soak.py --clip single_face.mp4 --minutes 60

The slope is the median of the slopes between all pairs of samples (Theil-Sen), which is robust to a single step. The
first tenth is left out, since caches fill. Prints a line each minute, then the slope; exits with 1 if memory grows.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import msgspec

from fer_edge.config.model import MqttSettings, Settings
from fer_edge.daemon.host import MIB, resident_bytes
from fer_edge.demo.broker import loopback_broker
from fer_edge.subscriber.client import Subscriber

DEVICE = "soak"
SAMPLE_S = 10.0
FLAT_MIB_PER_HOUR = 1.0
MOST_SAMPLES = 400  # the number of pairs is quadratic


def slope_per_s(samples: list[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope of (seconds, value) samples."""
    step = max(1, len(samples) // MOST_SAMPLES)
    pairs = combinations(samples[::step], 2)
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs)


def watch(
    daemon: subprocess.Popen[bytes], subscription: Subscriber, minutes: float
) -> tuple[list[tuple[float, float]], int]:
    """Return (seconds since the start, resident bytes) every SAMPLE_S, and the number of events received."""
    began, samples, events = time.monotonic(), [], 0
    while (now_s := time.monotonic() - began) < 60 * minutes:
        if daemon.poll() is not None:
            raise SystemExit(f"the daemon ended with {daemon.returncode}")
        samples.append((now_s, float(resident_bytes(daemon.pid))))
        if len(samples) % round(60 / SAMPLE_S) == 1:
            print(f"{now_s / 60:5.0f} min  {samples[-1][1] / MIB:6.1f} MiB", flush=True)
        while time.monotonic() - began < now_s + SAMPLE_S:
            events += len(list(subscription.receive(SAMPLE_S)))
    return samples, events


def main() -> None:
    """Run the daemon and check its memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True, help="a video with a face")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--model", default=Settings().classify.model, help="value of classify.model")
    arguments = parser.parse_args()
    with loopback_broker() as broker, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        settings = {
            "device": DEVICE,
            "log_level": "warning",
            "camera": {"source": str(arguments.clip), "loop": True},
            "classify": {"model": arguments.model},
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
        }
        config.write_bytes(msgspec.yaml.encode(settings))
        command = [str(Path(sys.executable).parent / "fer-edge"), "run", "--config", str(config)]
        own = {"STATE_DIRECTORY": str(config.parent / "state"), "XDG_RUNTIME_DIR": str(config.parent)}
        mqtt = MqttSettings(host="127.0.0.1", port=broker.port)
        with (
            Subscriber(mqtt, "listener", (f"fer_edge/{DEVICE}/event",)) as subscription,
            subprocess.Popen(command, env=os.environ | own) as daemon,
        ):
            samples, events = watch(daemon, subscription, arguments.minutes)
            daemon.terminate()
    settled = samples[len(samples) // 10 :]
    per_hour = 3600 * slope_per_s(settled) / MIB
    values = [value / MIB for _, value in settled]
    extent = f"{min(values):.1f} to {max(values):.1f} MiB"
    print(f"{broker.name}, {events} events, {extent}, slope {per_hour:+.2f} MiB/h")
    sys.exit(per_hour > FLAT_MIB_PER_HOUR)


if __name__ == "__main__":
    main()
