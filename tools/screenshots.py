"""Screenshots and plots for docs/watch.md and docs/tuning.md, of the demo's public-domain portraits.

    python -m tools.screenshots [--only page|video|tune] [FOLDER]      default: docs/pictures

Needs the extras demo, video, preview and test, and Chromium.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import msgspec
import numpy as np

from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.demo.broker import LOOPBACK, loopback_broker
from tests.films import scene_pictures, write_film
from tests.system.browser import Browser

REPOSITORY = Path(__file__).resolve().parent.parent
PORT = 8094
RATE_HZ = 10.0
SHOWN_S = 12.8  # both people are present, one smiling
QUALITY = 82


def command(*arguments: object) -> list[str]:
    """Return a `fer-edge` command line."""
    return [sys.executable, "-m", "fer_edge", *map(str, arguments)]


def save(picture: np.ndarray, path: Path, width: int) -> None:
    """Save as a JPEG of that width."""
    height = round(picture.shape[0] * width / picture.shape[1])
    reduced = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), reduced, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def shoot_page(film: Path, folder: Path, out: Path) -> None:
    """Save the live page on a desktop (light) and on a phone (dark), with a threshold being tried."""
    with loopback_broker() as broker:
        _shoot_page(film, folder, out, broker.port)


def _shoot_page(film: Path, folder: Path, out: Path, port: int) -> None:
    config = folder / "page.yaml"
    settings = {
        "device": "kitchen",
        "camera": {"source": str(film), "loop": True},
        "mqtt": {"host": LOOPBACK, "port": port},
        "preview": {"enabled": True, "port": PORT},
    }
    config.write_bytes(msgspec.yaml.encode(settings))
    with subprocess.Popen(command("run", "--config", config)) as daemon:
        time.sleep(8.0)
        browser = Browser(1280, 1500)
        try:
            browser.open(f"http://127.0.0.1:{PORT}/")
            shown = (
                "return [...document.querySelectorAll('.face h3')].filter((one) => /%/.test(one.textContent)).length"
            )
            time.sleep(25.0)  # one loop of the scene, for events to replay
            drag = "const s = document.getElementById('tune-enter'); s.value = 0.9; s.dispatchEvent(new Event('input'))"
            browser.run(drag)
            browser.wait_for_text("#tune-result", "events kept")
            for scheme, size, name in (("light", (1280, 1640), "page.jpg"), ("dark", (390, 1180), "page-dark.jpg")):
                browser.scheme(scheme)
                browser.size(*size)
                browser.wait(lambda one: one.run(shown) == 2, "two faces with an expression")  # noqa: PLR2004
                raw = np.frombuffer(browser.driver.get_screenshot_as_png(), np.uint8)
                picture = cv2.imdecode(raw, cv2.IMREAD_COLOR)
                assert picture is not None
                save(picture, out / name, min(size[0], 1000))
        finally:
            browser.close()
            daemon.terminate()


def shoot_video(film: Path, folder: Path, out: Path) -> None:
    """Save a frame of the annotated video, and the timeline."""
    subprocess.run(command("video", film, "-o", folder, "--write", "video,timeline,scores"), check=True)
    video = VideoFile(CameraSettings(source=str(folder / "scene.annotated.mp4")))
    picture = video.read()
    while picture is not None and video.position_s < SHOWN_S - 2.0:
        picture = video.read()
    assert picture is not None
    save(np.asarray(picture), out / "annotated.jpg", 640)
    timeline = cv2.imread(str(folder / "scene.timeline.png"))
    assert timeline is not None
    save(timeline, out / "timeline.jpg", 1200)


def shoot_tune(film: Path, folder: Path, out: Path) -> None:
    """Save the sweep of the scene's scores, as in docs/tuning.md."""
    if not (folder / "scene.scores.csv").exists():
        subprocess.run(command("video", film, "-o", folder, "--write", "scores"), check=True)
    picture = folder / "sweep.png"
    arguments = ("--set", "happy.enter=0.9", "--at-most", "900", "-o", picture)
    result = subprocess.run(command("tune", folder / "scene.scores.csv", *arguments), check=True, capture_output=True)
    sys.stdout.write(result.stdout.decode())
    sweep = cv2.imread(str(picture))
    assert sweep is not None
    save(sweep, out / "sweep.jpg", 1200)


def main() -> None:
    """Make the chosen pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=REPOSITORY / "docs" / "pictures")
    shots = {"page": shoot_page, "video": shoot_video, "tune": shoot_tune}
    parser.add_argument("--only", choices=shots)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = scene_pictures(2.0, 28.0, RATE_HZ)
        film = write_film(folder / "scene.mp4", pictures, [number / RATE_HZ for number in range(len(pictures))])
        for shot in [arguments.only] if arguments.only else shots:
            shots[shot](film, folder, arguments.folder)


if __name__ == "__main__":
    main()
