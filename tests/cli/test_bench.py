"""Benchmark results, measured with a fake clock."""

import io
import json

import click
import numpy as np
import pytest
from rich.console import Console

from fer_edge.cli.bench import bench, measured
from fer_edge.config.model import CameraSettings, ClassifySettings, DetectSettings, Settings
from fer_edge.errors import ModelError
from fer_edge.types import Detection, Image, Scores
from fer_edge.vision.analyzer import FaceAnalyzer, build_analyzer, model_path
from fer_edge.vision.classifier import Classifier, load_classifier
from fer_edge.vision.detector import Detector
from fer_edge.vision.preprocess import Crop, Grey


class Clock:
    """A clock that advances by simulated work and sleep."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SlowDetector:
    """Detector that takes 30 ms per frame, 80 ms every tenth."""

    name = "slow"
    crop = Crop(1.1, 0.0)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls = 0

    def detect(self, image: Image) -> tuple[Detection, ...]:
        self.calls += 1
        self._clock.sleep(0.080 if self.calls % 10 == 0 else 0.030)
        return ()


class SlowClassifier(Classifier):
    """Classifier that takes 10 ms per face."""

    def __init__(self, clock: Clock) -> None:
        real = load_classifier(model_path("nano"))
        super().__init__(real.card, real.interpreter)
        self._clock = clock

    def scores(self, face: Grey) -> Scores:
        self._clock.sleep(0.010)
        return super().scores(face)


def slow_vision(clock: Clock) -> FaceAnalyzer:
    vision = build_analyzer(Settings(classify=ClassifySettings(model="nano")))
    detector: Detector = SlowDetector(clock)
    vision.detector, vision.classifier = detector, SlowClassifier(clock)
    return vision


def test_steps_are_timed_separately_and_full_load_does_not_sleep():
    clock = Clock()
    frames = [np.full((96, 128, 3), 90, np.uint8)]
    result = measured(slow_vision(clock), frames, rate_hz=5.0, seconds=20.0, clock=clock, sleep=clock.sleep)
    assert (result.find_faces.median_ms, result.find_faces.p95_ms) == (30.0, 80.0)
    assert (result.read_face.median_ms, result.read_face.p95_ms) == (10.0, 10.0)
    assert result.flat_out_hz == pytest.approx(1 / 0.045, abs=0.2)  # 30, every tenth time 80, and 10 ms
    assert clock.now == pytest.approx(100 + 20, abs=0.5)  # 12 s at the camera's rate, 8 s at full load
    assert (result.model, result.detector, result.frame) == ("fer-nano", "slow", (128, 96))


def test_settings_select_models_size_and_rate_and_json_is_one_line():
    settings = Settings(
        camera=CameraSettings(width=320, height=240, rate_hz=30.0),
        detect=DetectSettings(width=96),
        classify=ClassifySettings(model="nano"),
    )
    output = io.StringIO()
    assert bench(settings, 1.0, Console(file=output, width=40), as_json=True) == 0
    result = json.loads(output.getvalue())
    assert output.getvalue().count("\n") == 1
    assert (result["model"], result["detector"], result["frame"]) == ("fer-nano", "fer-face", [320, 240])
    assert result["rate_hz"] == 30.0
    assert 0 < result["find_faces"]["median_ms"] <= result["find_faces"]["p95_ms"]
    assert result["cpu_percent"] > 0


def test_table_names_both_steps():
    output = io.StringIO()
    bench(Settings(), 1.0, Console(file=output, width=100), as_json=False)
    for text in ("fer-small", "640x480 at 15 fps", "find faces", "read one face", "of a core; at full load"):
        assert text in output.getvalue()


def test_missing_model_is_an_error_of_one_line():
    settings = Settings(classify=ClassifySettings(model="nowhere.tflite"))
    with pytest.raises(ModelError, match=r"nowhere\.tflite"):
        bench(settings, 1.0, Console(file=io.StringIO()), as_json=False)


@pytest.mark.parametrize(("rotate", "frame"), [(0, [320, 240]), (90, [240, 320]), (180, [320, 240]), (270, [240, 320])])
def test_frame_has_the_size_of_the_rotated_camera_image(rotate, frame):
    settings = Settings(
        camera=CameraSettings(width=320, height=240, rate_hz=30.0, rotate=rotate),
        classify=ClassifySettings(model="nano"),
    )
    output = io.StringIO()
    bench(settings, 0.1, Console(file=output), as_json=True)
    assert json.loads(output.getvalue())["frame"] == frame


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e308])
def test_infinite_time_is_a_usage_error(seconds):
    with pytest.raises(click.UsageError, match="--for: must be a number of seconds"):
        bench(Settings(), seconds, Console(file=io.StringIO()), as_json=False)
