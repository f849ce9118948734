"""TFLite detector: input, decoding of the output, rejected files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.config.model import DetectSettings
from fer_edge.errors import ModelError
from fer_edge.vision.interpreter import Interpreter, TensorSpec
from fer_edge.vision.model_card import (
    CardInput,
    DetectorCard,
    ModelCard,
    PixelScaling,
    card_path,
    encoded,
    load_detector_card,
    save_card,
    sha256_of,
    verify_detector,
)
from fer_edge.vision.tflite_detector import TfliteDetector, load_detector

SCALE = 6 / 255  # of an int8 ReLU6


class FakeInterpreter(Interpreter):
    """Network with scripted output for any frame size that records its input."""

    def __init__(self) -> None:
        self.resize((1, 32, 32, 3))
        self.resized: list[tuple[int, ...]] = []
        self.fed: NDArray[Any] = np.empty(0)
        self.faces: dict[tuple[int, int], tuple[float, ...]] = {}

    def resize(self, shape: tuple[int, ...]) -> None:
        self.input = TensorSpec(shape, np.dtype(np.int8), 1 / 128, 0)
        self.output = TensorSpec((1, shape[1] // 8, shape[2] // 8, 5), np.dtype(np.int8), SCALE, -128)
        if hasattr(self, "resized"):
            self.resized.append(shape)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        assert tensor.shape == self.input.shape
        assert tensor.dtype == np.int8
        self.fed = tensor.copy()
        said = np.zeros(self.output.shape)
        for (row, column), five in self.faces.items():
            said[0, row, column] = five
        return (np.rint(said / SCALE) - 128).astype(np.int8)


def a_card(**changes: Any) -> DetectorCard:
    values: dict[str, Any] = {"name": "face", "sha256": "0" * 64, "input": PixelScaling(mean=128, std=128)}
    return DetectorCard(**(values | changes))


def a_detector(interpreter: Interpreter, *, width: int = 160, score: float = 0.5, **card: Any) -> TfliteDetector:
    return TfliteDetector(a_card(**card), interpreter, DetectSettings(backend="own", width=width, score=score))


def image(height: int, width: int, grey: int = 200) -> NDArray[np.uint8]:
    return np.full((height, width, 3), grey, np.uint8)


def test_a_frame_is_fed_reduced_and_grey_beyond_its_edges_up_to_multiples_of_32():
    interpreter = FakeInterpreter()
    a_detector(interpreter).detect(image(480, 640))
    assert interpreter.fed.shape == (1, 128, 160, 3)
    assert (interpreter.fed[0, :120] == 200 - 128).all()
    assert (interpreter.fed[0, 120:] == 0).all()


def test_a_small_frame_is_not_enlarged():
    interpreter = FakeInterpreter()
    a_detector(interpreter).detect(image(40, 50))
    assert interpreter.fed.shape == (1, 64, 64, 3)
    assert (interpreter.fed[0, :40, :50] == 72).all()
    assert (interpreter.fed[0, 40:] == 0).all()
    assert (interpreter.fed[0, :, 50:] == 0).all()


def test_colours_are_fed_in_their_order():
    interpreter = FakeInterpreter()
    frame = image(32, 32)
    frame[..., 0], frame[..., 2] = 0, 255
    a_detector(interpreter).detect(frame)
    assert interpreter.fed[0, 0, 0].tolist() == [-128, 72, 127]


def test_a_face_is_in_pixels_of_the_frame():
    interpreter = FakeInterpreter()
    interpreter.faces = {(3, 5): (6.0, 3.0, 3.0, 3.0, 3.0)}
    (face,) = a_detector(interpreter).detect(image(480, 640))
    # Centre of row 3, column 5: x = 44, y = 28; 8 pixels to each side; the frame is four times as large.
    assert face.box == pytest.approx((36 * 4, 20 * 4, 16 * 4, 16 * 4), abs=1.5)
    assert 0.99 < face.score <= 1.0
    assert face.landmarks is None


def test_another_frame_size_resizes_the_network_once():
    interpreter = FakeInterpreter()
    detector = a_detector(interpreter)
    for shape in [(480, 640), (480, 640), (360, 640), (720, 1280), (480, 640)]:
        detector.detect(image(*shape))
    # 160 x 90 needs 96 rows, and 1280 x 720 is the same frame once it is reduced.
    assert interpreter.resized == [(1, 128, 160, 3), (1, 96, 160, 3), (1, 128, 160, 3)]


@pytest.mark.parametrize("shape", [(1, 1), (99, 1001), (640, 100)])
def test_a_frame_of_any_shape_is_accepted(shape: tuple[int, int]):
    assert a_detector(FakeInterpreter()).detect(image(*shape)) == ()


def test_the_users_score_decides_and_the_cards_offset_moves_it():
    interpreter = FakeInterpreter()
    interpreter.faces = {(2, 2): (3.25, 3.0, 3.0, 3.0, 3.0)}  # logit 1 (in steps of 0.1): a score of 0.73
    assert len(a_detector(interpreter, score=0.7).detect(image(120, 160))) == 1
    assert len(a_detector(interpreter, score=0.8).detect(image(120, 160))) == 0
    (surer,) = a_detector(interpreter, score=0.8, score_offset=1.0).detect(image(120, 160))
    assert surer.score == pytest.approx(1 / (1 + np.exp(-2)), abs=0.02)


def test_a_score_of_one_asks_for_what_no_network_is_and_zero_for_everything():
    interpreter = FakeInterpreter()
    interpreter.faces = {(2, 2): (6.0, 3.0, 3.0, 3.0, 3.0)}
    assert a_detector(interpreter, score=1.0).detect(image(120, 160)) == ()
    faces = a_detector(interpreter, score=0.0).detect(image(120, 160))
    assert len(faces) > 1, "asked for everything, it says what it hardly believes as well"
    assert faces[0].score > 0.99


def refusal(model: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_detector(DetectSettings(backend="own", model=str(model)))
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_card_reads_back_as_it_was_written(tmp_path: Path):
    card = a_card(score_offset=-0.7, scores={"mask853": {"ap": 0.4}}, training={"seed": 1})
    save_card(card, tmp_path / "net.tflite")
    assert load_detector_card(tmp_path / "net.tflite") == card


def test_a_file_without_a_card_is_refused(tmp_path: Path):
    (tmp_path / "net.tflite").write_bytes(b"x")
    assert "has no card net.json" in refusal(tmp_path / "net.tflite")


def test_a_missing_file_is_reported_with_the_setting(tmp_path: Path):
    assert "detect.model" in refusal(tmp_path / "absent.tflite")


def test_a_file_that_the_card_was_not_written_for_never_reaches_the_runtime(tmp_path: Path):
    (tmp_path / "net.tflite").write_bytes(b"TFL3" * 10)
    save_card(a_card(), tmp_path / "net.tflite")
    assert "sha256" in refusal(tmp_path / "net.tflite")


def test_an_expression_network_is_refused_as_what_it_is(int8_model: Path):
    assert "'expression'" in refusal(int8_model)


def test_a_detector_is_no_expression_network(tmp_path: Path):
    from fer_edge.vision.model_card import load_card  # noqa: PLC0415  only here

    save_card(a_card(), tmp_path / "net.tflite")
    with pytest.raises(ModelError, match="'detector'"):
        load_card(tmp_path / "net.tflite")


def test_a_network_that_is_no_detector_is_refused_even_with_a_detectors_card(int8_model: Path):
    content = int8_model.read_bytes()
    save_card(a_card(sha256=sha256_of(content)), int8_model)
    assert "input 1x64x64x1, output 1x7" in refusal(int8_model)


def test_a_network_of_cells_passes():
    verify_detector(FakeInterpreter(), Path("net.tflite"))


def test_a_gender_networks_card_is_refused_by_its_kind(tmp_path: Path):
    model = tmp_path / "net.tflite"
    card_path(model).write_bytes(encoded(a_card(kind="gender")))
    model.write_bytes(b"x")
    assert "'gender'" in refusal(model)


def test_an_expression_card_for_a_detector_is_rejected(tmp_path: Path):
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    size = CardInput(height=48, width=48, mean=0.0, std=255.0)
    model = tmp_path / "net.tflite"
    model.write_bytes(b"x")
    save_card(ModelCard(name="n", sha256="0" * 64, labels=labels, input=size, output="logits"), model)
    assert "use another model" in refusal(model)
