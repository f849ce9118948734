"""Cost of viewers of the live page: frame rate and CPU time of the daemon without and with five viewers.

    python benchmarks/watchers.py [--watchers 5] [--seconds 15] [--rounds 3] [--rate 15]

The staged scene is looped from a file at --rate. At the camera's default of 15 fps the result shows lost frames; at 60
fps, faster than most CPUs, the share that viewers take from a saturated one. Viewers read the MJPEG stream and the
live feed. Rounds with and without viewers alternate, so that a noisy machine affects both; the ratio of their medians
counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import av
import msgspec
from rich.console import Console
from rich.table import Table

from fer_edge.demo.scene import Scene

SCENE_S = (9.0, 15.0)  # both people are present
# All viewers in one process: real ones are other machines and take no CPU from the daemon.
READER = """
import selectors, socket, sys
port, watchers = int(sys.argv[1]), int(sys.argv[2])
ready = selectors.DefaultSelector()
for path in ["/picture.mjpg", "/live"] * watchers:
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n".encode())
    ready.register(one, selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        key.fileobj.recv(1 << 20)
"""


def write_scene(path: Path, rate_hz: int) -> None:
    """Write the part of the scene with two faces, as H.264."""
    scene = Scene()
    with av.open(str(path), "w") as film:
        stream: Any = film.add_stream("libx264", rate=rate_hz, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(round((SCENE_S[1] - SCENE_S[0]) * rate_hz)):
            picture = scene.draw(SCENE_S[0] + number / rate_hz)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(stream.encode(None))


def live_message(url: str) -> dict[str, Any]:
    """Return one message of the live feed."""
    with urllib.request.urlopen(f"{url}live") as stream:  # noqa: S310  loopback
        line: bytes = stream.readline()
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return CPU seconds of a process so far (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def measure(port: int, daemon: subprocess.Popen[bytes], watchers: int, seconds: float) -> tuple[float, float]:
    """Return processed frames per second, and CPU milliseconds per frame of the whole daemon."""
    url = f"http://127.0.0.1:{port}/"
    reader = subprocess.Popen([sys.executable, "-c", READER, str(port), str(watchers)])
    time.sleep(2.0)
    before, used, began = live_message(url)["figures"]["frames"], cpu_s(daemon), time.monotonic()
    time.sleep(seconds)
    after, lasted = live_message(url)["figures"]["frames"], time.monotonic() - began
    used = cpu_s(daemon) - used
    reader.kill()
    reader.wait()
    time.sleep(1.0)
    return (after - before) / lasted, 1000.0 * used / max(1, after - before)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=15, help="in fps")
    parser.add_argument("--port", type=int, default=8093)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(folder / "scene.mp4", arguments.rate)
        settings = {
            "log_level": "error",
            "camera": {"source": str(folder / "scene.mp4"), "loop": True},
            "mqtt": {"host": "127.0.0.1", "port": 9, "reconnect_max_s": 3600},
            "preview": {"enabled": True, "port": arguments.port, "watchers": arguments.watchers + 1},
        }
        (folder / "config.yaml").write_bytes(msgspec.yaml.encode(settings))
        command = [sys.executable, "-m", "fer_edge", "run", "--config", str(folder / "config.yaml")]
        with subprocess.Popen(command) as daemon:
            time.sleep(5.0)
            alone, watched = [], []
            for _ in range(arguments.rounds):
                alone.append(measure(arguments.port, daemon, 0, arguments.seconds))
                watched.append(measure(arguments.port, daemon, arguments.watchers, arguments.seconds))
            daemon.terminate()
    length = f"{arguments.rounds} rounds of {arguments.seconds:g} s"
    table = Table(title=f"two faces at 640x480, {arguments.rate} fps, {length}, medians")
    for heading in ("", "fps", "CPU ms/frame"):
        table.add_column(heading, justify="right")
    rows = (("no viewers", alone), (f"{arguments.watchers} viewers", watched))
    medians = []
    for label, rounds in rows:
        rate, cost = (statistics.median(column) for column in zip(*rounds, strict=True))
        medians.append((rate, cost))
        table.add_row(label, f"{rate:.1f}", f"{cost:.1f}")
    table.add_row("ratio", f"{medians[1][0] / medians[0][0]:.3f}", f"{medians[1][1] / medians[0][1]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
