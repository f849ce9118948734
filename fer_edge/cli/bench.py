"""`fer-edge bench`: time of detection and of classification, at the camera's rate and at full load.

At the camera's rate the CPU sleeps between frames, so caches are cold and the clock is low, as for the daemon. Frames
are synthetic: the networks take the same time for any content.
"""

import math
import time
from collections.abc import Callable
from statistics import median, quantiles

import click
import cv2
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from fer_edge.config.model import Settings
from fer_edge.daemon.host import is_throttled, soc_temperature_c
from fer_edge.terminal import plain_text
from fer_edge.types import Box, Image
from fer_edge.vision.analyzer import FaceAnalyzer, build_analyzer
from fer_edge.vision.delegate import describe, measure
from fer_edge.vision.preprocess import face_pixels, face_region
from fer_edge.vision.quality import quality_of

IMAGES = 8  # in turns: a single one would stay in the cache, unlike a camera's
CELL_PX = 12  # side of a colour cell
SEED = 7
FACE_WIDTH, FACE_HEIGHT = 0.2, 0.35  # of the frame: a face at arm's length
WARM_UP = 5  # frames before the measurement
FULL_LOAD = 0.4  # share of the time at full load
SIDEWAYS = (90, 270)  # values of `camera.rotate` that swap width and height


class Step(msgspec.Struct, frozen=True):
    """Time of one step of a frame."""

    median_ms: float
    p95_ms: float


class Result(msgspec.Struct, frozen=True):
    """Result of the measurement, printed by `--json`."""

    model: str
    detector: str
    runtime: str
    kernels: str
    """Delegate of the expression network, as text."""
    frame: tuple[int, int]
    """Width and height in pixels."""
    rate_hz: float
    """Frames per second at which the steps were measured."""
    find_faces: Step
    """The detector on one frame."""
    read_face: Step
    """Cropping one face, its quality check, and the expression network."""
    cpu_percent: float
    """Of one core, at `rate_hz` with one face in each frame; without camera, tracking and messages."""
    flat_out_hz: float
    """Frames per second at full load, with one face each."""
    soc_temperature_c: float | None
    throttled: bool | None


def bench(settings: Settings, seconds: float, console: Console, *, as_json: bool) -> int:
    """Measure for ``seconds``, print a table or one line of JSON, and return the exit code 0.

    Raises:
        click.UsageError: ``seconds`` is not finite.
        ModelError: a model is missing or wrong.
    """
    camera = settings.camera
    if not math.isfinite(seconds * camera.rate_hz):
        raise click.UsageError(f"--for: must be a number of seconds, got {seconds:g}")
    vision = build_analyzer(settings)
    width, height = camera.width, camera.height
    frames = _images(height, width) if camera.rotate in SIDEWAYS else _images(width, height)
    with console.status(f"measuring for {seconds:g} seconds"):
        result = measured(vision, frames, camera.rate_hz, seconds)
    if as_json:
        console.out(msgspec.json.encode(result).decode(), highlight=False)
    else:
        _print(result, console)
    return 0


def measured(  # noqa: PLR0913 - the clock is an argument
    vision: FaceAnalyzer,
    frames: list[Image],
    rate_hz: float,
    seconds: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Measure ``vision`` on ``frames`` at ``rate_hz`` and then at full load, ``seconds`` in all."""
    for number in range(WARM_UP):
        _frame(vision, frames[number % len(frames)], clock)
    steps, began_s, busy_s = [], clock(), time.process_time()
    for number in range(max(2, round((1 - FULL_LOAD) * seconds * rate_hz))):
        sleep(max(0.0, began_s + number / rate_hz - clock()))
        steps.append(_frame(vision, frames[number % len(frames)], clock))
    busy_s, lasted_s = time.process_time() - busy_s, clock() - began_s
    done, began_s = 0, clock()
    while done < 1 or clock() - began_s < FULL_LOAD * seconds:
        _frame(vision, frames[done % len(frames)], clock)
        done += 1
    flat_out_hz = done / (clock() - began_s)
    height, width = frames[0].shape[:2]
    runner = vision.classifier.interpreter
    return Result(
        model=vision.classifier.card.name,
        detector=vision.detector.name,
        runtime=runner.runtime,
        kernels=describe(measure(runner)),
        frame=(width, height),
        rate_hz=rate_hz,
        find_faces=_step([found_s for found_s, _ in steps]),
        read_face=_step([read_s for _, read_s in steps]),
        cpu_percent=round(100 * busy_s / max(lasted_s, len(steps) / rate_hz), 1),
        flat_out_hz=round(flat_out_hz, 1),
        soc_temperature_c=soc_temperature_c(),
        throttled=is_throttled(),
    )


def _frame(vision: FaceAnalyzer, image: Image, clock: Callable[[], float]) -> tuple[float, float]:
    """Process a frame with one face; return the seconds of detection and of classification."""
    began_s = clock()
    vision.detector.detect(image)
    found_s = clock()
    height, width = image.shape[:2]
    box = Box(0.4 * width, 0.3 * height, FACE_WIDTH * width, FACE_HEIGHT * height)
    size = vision.classifier.card.input
    pixels = face_pixels(image, face_region(box, vision.detector.crop), size.height, size.width)
    quality_of(pixels)
    vision.classifier.scores(pixels)
    return found_s - began_s, clock() - found_s


def _step(seconds: list[float]) -> Step:
    return Step(median_ms=round(1000 * median(seconds), 2), p95_ms=round(1000 * quantiles(seconds, n=20)[-1], 2))


def _images(width: int, height: int) -> list[Image]:
    """Return images, (height, width, 3) uint8 each."""
    rng = np.random.default_rng(SEED)
    rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    cells = rng.integers(0, 256, (IMAGES, rows, columns, 3), np.uint8)
    return [np.asarray(cv2.resize(cell, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8) for cell in cells]


def _print(result: Result, console: Console) -> None:
    width, height = result.frame
    models = f"{result.model}, {result.runtime}: {result.kernels}; detector {result.detector}"
    console.print(plain_text(models), soft_wrap=True)  # a card's name may be anything
    table = Table(title=f"{width}x{height} at {result.rate_hz:g} fps")
    for heading in ("", "ms, median", "ms, p95"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, step in (("find faces", result.find_faces), ("read one face", result.read_face)):
        table.add_row(name, f"{step.median_ms:.2f}", f"{step.p95_ms:.2f}")
    console.print(table)
    console.print(f"CPU with one face: {result.cpu_percent:g}% of a core; at full load: {result.flat_out_hz:g} fps.")
    if result.soc_temperature_c is not None:
        console.print(f"CPU temperature: {result.soc_temperature_c:.0f} °C")
    if result.throttled:
        console.print("The CPU is throttled by heat or undervoltage: cool the device or use a stronger power supply.")
