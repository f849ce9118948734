"""The Python API: the same answers from a TFLite file and from the Keras network it was made from."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.data.faces import Faces
from converter.predict import FacialExpressionModel
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError

KERAS = pytest.mark.filterwarnings("ignore")  # TensorFlow and Keras warn about themselves as they load
MANUAL = Path(__file__).resolve().parent.parent.parent / "docs/converting.md"


@pytest.fixture(scope="module")
def happy(slice_of_fer2013: Faces) -> np.ndarray:
    """(50, 48, 48) uint8: PublicTest faces with the label happy."""
    public = slice_of_fer2013.split("PublicTest")
    return public.images[public.labels == EMOTIONS.index("happy")]


def test_faces_that_are_happy_are_called_so(int8_network: Path, happy: np.ndarray):
    predictions = FacialExpressionModel(int8_network).predict_all(happy)
    assert np.mean([prediction.label == "happy" for prediction in predictions]) > 0.75
    for prediction in predictions:
        assert prediction.scores.shape == (7,)
        assert prediction.scores.sum() == pytest.approx(1, abs=1e-5)
        assert prediction.confidence == prediction.scores[EMOTIONS.index(prediction.label)]


def test_a_picture_may_be_grey_or_colour_and_of_any_size(int8_network: Path, happy: np.ndarray):
    model = FacialExpressionModel(int8_network)
    grey = happy[0]
    scores = model.predict(grey).scores
    assert model.predict(grey[..., None]).scores == pytest.approx(scores)
    assert model.predict(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)).scores == pytest.approx(scores)
    doubled = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_NEAREST)
    assert model.predict(doubled).scores == pytest.approx(scores)


def test_no_pictures_give_no_predictions(int8_network: Path):
    assert FacialExpressionModel(int8_network).predict_all([]) == []


@KERAS
@pytest.mark.parametrize("container", ["json", "keras"])
def test_keras_networks_answer_as_their_tflite_file_does(
    data: Path, int8_network: Path, happy: np.ndarray, container: str
):
    models = data / "models"
    files = (models / "keras2/model.json", models / "keras2/model_weights.h5")
    files = files if container == "json" else (models / "keras3/mini_xception_119.keras", None)
    keras = FacialExpressionModel(*files, labels="fer2013", pixel_range="-1,1").predict_all(happy)
    tflite = FacialExpressionModel(int8_network).predict_all(happy)
    assert np.mean([one.label == other.label for one, other in zip(keras, tflite, strict=True)]) > 0.9


@KERAS
def test_labels_say_what_each_output_means(data: Path, happy: np.ndarray):
    model = data / "models/keras3/mini_xception_119.keras"
    turned = FacialExpressionModel(model, labels=EMOTIONS[::-1], pixel_range="-1,1").predict(happy[0])
    straight = FacialExpressionModel(model, labels=EMOTIONS, pixel_range="-1,1").predict(happy[0])
    assert turned.scores[::-1] == pytest.approx(straight.scores)


def test_a_keras_network_is_not_guessed_at(data: Path):
    model = data / "models/keras3/mini_xception_119.keras"
    with pytest.raises(UserError, match="give labels and pixel_range, or convert it with `fer-convert quantize`"):
        FacialExpressionModel(model)
    with pytest.raises(UserError, match="pixel_range must be one of -1,1, 0,1, 0,255, got '0-1'"):
        FacialExpressionModel(model, labels="fer2013", pixel_range="0-1")


def test_a_card_and_options_for_the_layout_exclude_each_other(int8_network: Path):
    with pytest.raises(UserError, match="leave weights, labels and range out"):
        FacialExpressionModel(int8_network, labels="fer2013")


def test_scaled_pictures_and_things_that_are_no_pictures_are_refused(int8_network: Path):
    model = FacialExpressionModel(int8_network)
    with pytest.raises(ValueError, match="pictures are uint8, 0 to 255, not scaled; got float64"):
        model.predict(np.zeros((48, 48)))
    with pytest.raises(ValueError, match=r"got \(48, 48, 4\)"):
        model.predict(np.zeros((48, 48, 4), np.uint8))
    with pytest.raises(ValueError, match=r"got \(48,\)"):
        model.predict(np.zeros(48, np.uint8))
    for shape in ((0, 0, 3), (0, 48), (48, 0, 1)):
        with pytest.raises(ValueError, match="not empty, got"):
            model.predict(np.zeros(shape, np.uint8))


def test_a_picture_that_was_not_read_is_an_error(int8_network: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"got NoneType; cv2\.imread gives None where it cannot read"):
        FacialExpressionModel(int8_network).predict(cv2.imread(str(tmp_path / "missing.png")))


def test_the_example_of_the_manual_runs(
    int8_network: Path,
    happy: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(int8_network, "fer-mini.tflite")
    shutil.copy(int8_network.with_suffix(".json"), "fer-mini.json")
    sure = max(
        happy, key=lambda face: FacialExpressionModel(int8_network).predict(face).scores[EMOTIONS.index("happy")]
    )
    cv2.imwrite("face.png", sure)
    example = re.search(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert example
    exec(compile(example.group(1), str(MANUAL), "exec"), {})
    assert capsys.readouterr().out.startswith("happy (")
