r"""Detectors on clips: recall relative to YuNet, false faces, CPU time.

The faces of a clip are those that the reference (YuNet n at width 320) finds at the default score. A face is found if
a box overlaps it with an IoU of 0.4 or more, and followed if a track does; a track accepts lower scores
(`track.score`). A box is false if the reference finds nothing there even at a score of 0.3; in clips without people
(--no-people) every box is. CPU time is that of `detect` on the same frames, with alternating detectors, the fastest
of three rounds.

    python benchmarks/detection_video.py --clips videos --reference yunet_n_320_320.onnx \
        --no-people no_face.mp4,bottle-detection.mp4,store-aisle-detection.gif \
        haar:320 yunet_s_320_320.onnx:160 face.tflite:160
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import cv2
import numpy as np
from detection import detector_of
from rich.console import Console
from rich.table import Table

from fer_edge.config.model import DetectSettings, TrackSettings
from fer_edge.types import Box, Detection, Image
from fer_edge.vision.detector import Detector, make_detector
from fer_edge.vision.geometry import iou
from fer_edge.vision.tracker import Tracker

SAME_IOU = 0.4
REFERENCE_WIDTH, UNSURE = 320, 0.3
SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".gif"}
ROUNDS, TIMED_FRAMES = 3, 60
RATE_HZ = 30.0  # of the clips, approximately


@dataclass
class Count:
    """Counts of one detector over all clips."""

    found: int = 0
    frames_found: int = 0
    frames_followed: int = 0
    false: int = 0
    cpu_ms: list[float] = field(default_factory=list)


def frames_of(clip: Path, every: int) -> list[Image]:
    """Return every n-th frame of a clip."""
    capture = cv2.VideoCapture(str(clip))
    frames: list[Image] = []
    while True:
        ok, image = capture.read()
        if not ok:
            capture.release()
            return frames[::every]
        frames.append(np.asarray(image, np.uint8))


def matches(faces: tuple[Detection, ...], boxes: tuple[Detection, ...]) -> int:
    """Return how many of ``faces`` overlap one of ``boxes``."""
    return sum(any(iou(face.box, other.box) >= SAME_IOU for other in boxes) for face in faces)


class Follower:
    """A detector and the daemon's tracker, for one clip."""

    def __init__(self, named: str, score: float) -> None:
        settings = TrackSettings()
        self._detector = detector_of(named, min(score, settings.score))
        self._tracker = Tracker(settings)
        self._score = score

    def see(self, frame: Image, now: float) -> list[Box]:
        """Return the boxes of the daemon's tracks in a frame, in pixels."""
        height, width = frame.shape[:2]
        found = self._detector.detect(frame)
        boxes = [face.box.scaled(1 / width, 1 / height) for face in found]
        sure = [box for box, face in zip(boxes, found, strict=True) if face.score >= self._score]
        faint = [box for box, face in zip(boxes, found, strict=True) if face.score < self._score]
        return [track.box.scaled(width, height) for track in self._tracker.update(sure, now, faint)]


def cost_ms(detector: Detector, frames: list[Image]) -> float:
    """Return CPU milliseconds per frame."""
    began = time.process_time()
    for frame in frames:
        detector.detect(frame)
    return (time.process_time() - began) / len(frames) * 1000


@click.command(help=__doc__)
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True, help="folder of videos")
@click.option("--reference", type=click.Path(path_type=Path, exists=True), required=True, help="YuNet's ONNX file")
@click.option("--no-people", default="", help="clips without faces, comma-separated")
@click.option("--every", default=1, show_default=True, help="use every n-th frame")
@click.option("--score", default=DetectSettings().score, show_default=True, help="least score of the detectors")
@click.argument("detectors", nargs=-1, required=True)
def main(  # noqa: PLR0913, PLR0917 - options
    clips: Path, reference: Path, no_people: str, every: int, score: float, detectors: tuple[str, ...]
) -> None:
    usual = DetectSettings().score
    finders = {named: detector_of(named, score) for named in detectors}
    judge = make_detector(DetectSettings(backend="yunet", model=str(reference), width=REFERENCE_WIDTH, score=UNSURE))
    counts = {named: Count() for named in detectors}
    total = faces = with_faces = 0
    for clip in sorted(path for path in clips.iterdir() if path.suffix in SUFFIXES):
        frames = frames_of(clip, every)
        total += len(frames)
        followers = {named: Follower(named, score) for named in detectors}
        for number, frame in enumerate(frames):
            unsure = () if clip.name in no_people.split(",") else judge.detect(frame)
            sure = tuple(face for face in unsure if face.score >= usual)
            faces += len(sure)
            with_faces += bool(sure)
            for named, finder in finders.items():
                boxes = finder.detect(frame)
                found = matches(sure, boxes)
                counts[named].found += found
                counts[named].frames_found += bool(sure) and found > 0
                known = followers[named].see(frame, number * every / RATE_HZ)
                counts[named].frames_followed += any(iou(face.box, box) >= SAME_IOU for face in sure for box in known)
                counts[named].false += len(boxes) - matches(boxes, unsure)
        for _ in range(ROUNDS):
            for named, finder in finders.items():
                counts[named].cpu_ms.append(cost_ms(finder, frames[:TIMED_FRAMES]))
    table = Table(title=f"{total} frames, {with_faces} with {faces} faces of {reference.stem} at width 320")
    for heading in (
        "",
        "faces found",
        "frames with one found",
        "followed",
        "false per 1000 frames",
        "CPU ms/frame",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for named, count in counts.items():
        fastest = np.mean([min(count.cpu_ms[at : at + ROUNDS]) for at in range(0, len(count.cpu_ms), ROUNDS)])
        table.add_row(
            Path(named).name,
            f"{count.found / max(1, faces):.1%}",
            f"{count.frames_found / max(1, with_faces):.1%}",
            f"{count.frames_followed / max(1, with_faces):.1%}",
            f"{1000 * count.false / max(1, total):.1f}",
            f"{fastest:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
