"""CPU time of the whole daemon per frame, compared with the bare detector and classifier calls in the same run.

    .venv/bin/python benchmarks/pipeline.py --yunet yunet_s_320_320.onnx --clip single_face.mp4

Both sides get the same frames, decoded beforehand, at a camera's rate, and alternate, so that a noisy machine affects
both; their ratio counts. CPU is process time of all threads. Memory and the time to the first event are measured on
`fer-edge run` with the clip as its source. The broker is mosquitto on loopback, in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from fer_edge.capture.sources import open_source, play
from fer_edge.config.loader import load_settings
from fer_edge.config.model import CameraSettings, MqttSettings, Settings
from fer_edge.daemon.app import App
from fer_edge.daemon.host import MIB, resident_bytes
from fer_edge.demo.broker import loopback_broker
from fer_edge.subscriber.client import Subscriber
from fer_edge.types import Image
from fer_edge.vision.analyzer import model_path
from fer_edge.vision.classifier import load_classifier

DETECT_WIDTH_PX = 160
WARM_UP_FRAMES = 15
DEVICE = "benchmark"
GIVE_UP_S = 60.0


class Memory:
    """Source of frames in memory at a camera's rate; measures process time after the warm-up."""

    live = False
    format = "memory"

    def __init__(self, frames: list[Image], rate_hz: float, seconds: float) -> None:
        self.rate_hz: float | None = rate_hz
        self._frames = frames
        self._step_s = 1.0 / rate_hz
        self._count = round(seconds * rate_hz)
        self._given = 0
        self._next_at = time.monotonic()
        self.cpu_s = 0.0
        self.counted = 0

    def read(self) -> Image | None:
        """Return the next frame when it is due."""
        if self._given == WARM_UP_FRAMES:
            self._warm_s = time.process_time()
        if self._given >= self._count:
            self.cpu_s = time.process_time() - self._warm_s
            self.counted = self._given - WARM_UP_FRAMES
            return None
        self._next_at += self._step_s
        time.sleep(max(0.0, self._next_at - time.monotonic()))
        self._given += 1
        return self._frames[self._given % len(self._frames)]

    def close(self) -> None:
        """Nothing to close."""


def load_frames(clip: Path) -> list[Image]:
    """Return every frame of the clip."""
    return [frame.image for frame in play(open_source(CameraSettings(source=str(clip))))]


def raw_ms(frames: list[Image], yunet: Path, model: str, rate_hz: float, seconds: float) -> float:
    """Return CPU milliseconds per frame of the bare calls: resize and detect, then the network for each face."""
    cv2.setNumThreads(1)
    height = round(frames[0].shape[0] * DETECT_WIDTH_PX / frames[0].shape[1])
    detector = cv2.FaceDetectorYN.create(str(yunet), "", (DETECT_WIDTH_PX, height), 0.7)
    runner = load_classifier(model_path(model)).interpreter
    tensor = np.zeros(runner.input.shape, runner.input.dtype)
    count, spent_s, next_at = round(seconds * rate_hz), 0.0, time.monotonic()
    for number in range(count):
        next_at += 1.0 / rate_hz
        time.sleep(max(0.0, next_at - time.monotonic()))
        began = time.process_time()
        frame = frames[number % len(frames)]
        _, faces = detector.detect(cv2.resize(frame, (DETECT_WIDTH_PX, height)))
        for _ in range(0 if faces is None else len(faces)):
            runner.invoke(tensor)
        if number >= WARM_UP_FRAMES:
            spent_s += time.process_time() - began
    return 1000.0 * spent_s / (count - WARM_UP_FRAMES)


def daemon_child(config: Path, clip: Path, rate_hz: float, seconds: float) -> None:
    """Run the daemon on frames in memory; print CPU milliseconds per frame as JSON. Runs in a process of its own."""
    source = Memory(load_frames(clip), rate_hz, seconds)
    App(load_settings(config), opener=lambda _: source).run()
    print(json.dumps({"ms": 1000.0 * source.cpu_s / source.counted}))


def daemon_ms(config: Path, arguments: argparse.Namespace) -> float:
    """Return CPU milliseconds per frame of the whole daemon."""
    command = [sys.executable, __file__, "--child", str(config), "--clip", str(arguments.clip)]
    command += ["--rate", str(arguments.rate), "--seconds", str(arguments.seconds)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"the daemon failed:\n{result.stderr}")
    return float(json.loads(result.stdout)["ms"])


def start_and_memory(config: Path, port: int, seconds: float) -> tuple[float, float]:
    """Return seconds from the start of `fer-edge run` to its first event, and its resident MiB ``seconds`` later."""
    command = [str(Path(sys.executable).parent / "fer-edge"), "run", "--config", str(config)]
    own = {"STATE_DIRECTORY": str(config.parent / "state"), "XDG_RUNTIME_DIR": str(config.parent)}
    # Installed packages are compiled; with this variable every start would compile the daemon again.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    topics = (f"fer_edge/{DEVICE}/event",)
    with Subscriber(MqttSettings(host="127.0.0.1", port=port), "listener", topics) as subscription:
        began = time.monotonic()
        with subprocess.Popen(command, env=inherited | own) as daemon:
            while not any(True for _ in subscription.receive(GIVE_UP_S)):
                if time.monotonic() - began > GIVE_UP_S or daemon.poll() is not None:
                    daemon.kill()
                    raise SystemExit("no event arrived")
            first_event_s = time.monotonic() - began
            time.sleep(seconds)
            resident = resident_bytes(daemon.pid)
            daemon.terminate()
    return first_event_s, resident / MIB


def write_config(folder: Path, port: int, arguments: argparse.Namespace) -> Path:
    """Write the settings of both kinds of run."""
    settings: dict[str, Any] = {
        "device": DEVICE,
        "log_level": "warning",
        "camera": {"source": str(arguments.clip), "loop": True},
        "detect": {"backend": "yunet", "model": str(arguments.yunet), "width": DETECT_WIDTH_PX},
        "classify": {"model": arguments.model},
        "mqtt": {"host": "127.0.0.1", "port": port},
    }
    path = folder / "config.yaml"
    path.write_bytes(msgspec.yaml.encode(settings))
    return path


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True, help="a video with one face")
    parser.add_argument("--yunet", type=Path, help="the detector's ONNX file")
    parser.add_argument("--model", default=Settings().classify.model, help="a TFLite file with its card")
    parser.add_argument("--rate", type=float, default=30.0, help="in fps")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side, alternating")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        daemon_child(arguments.child, arguments.clip, arguments.rate, arguments.seconds)
        return
    if arguments.yunet is None:
        parser.error("--yunet is needed")
    frames = load_frames(arguments.clip)
    raw, whole = [], []
    with loopback_broker() as broker, tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder), broker.port, arguments)
        for _ in range(arguments.rounds):
            raw.append(raw_ms(frames, arguments.yunet, arguments.model, arguments.rate, arguments.seconds))
            whole.append(daemon_ms(config, arguments))
        _, rss_mib = start_and_memory(config, broker.port, arguments.seconds)  # this compiles everything, too
        starts = [start_and_memory(config, broker.port, 0.0)[0] for _ in range(arguments.rounds)]
    table = Table(title=f"{arguments.clip.name}, YuNet on {DETECT_WIDTH_PX} wide, {arguments.rounds} rounds, medians")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("limit", justify="right")
    ratio = statistics.median(one / other for one, other in zip(whole, raw, strict=True))
    table.add_row("detector + classifier alone, CPU ms/frame", f"{statistics.median(raw):.2f}", "")
    table.add_row("whole daemon, CPU ms/frame", f"{statistics.median(whole):.2f}", "")
    table.add_row("whole / alone", f"{ratio:.2f}", "1.15")
    table.add_row("resident memory, MiB", f"{rss_mib:.0f}", "80")
    table.add_row("start to first event, s", f"{statistics.median(starts):.2f}", "1.0")
    Console().print(table)


if __name__ == "__main__":
    main()
