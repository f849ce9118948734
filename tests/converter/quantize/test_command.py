"""Conversion of a Keras network to a TFLite file and its card from the command line; errors in one line."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converter.data.faces import Faces
from converter.networks.tflite import operations
from converter.quantize.command import REPRESENTATIVE_A_CLASS, draw_representative
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import load_card

Convert = Callable[..., subprocess.CompletedProcess[str]]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_card_has_scaling_and_class_order_and_records_that_they_were_inferred(int8_network: Path):
    card = load_card(int8_network)
    assert card.name == "mini"
    assert card.labels == EMOTIONS
    assert (card.input.height, card.input.width, card.input.channels) == (48, 48, 1)
    assert (card.input.mean, card.input.std) == (127.5, 127.5)
    assert card.training["layout"].startswith("[-1, 1] in fer2013 order reads")
    assert card.training["original"].startswith("JSON architecture of Keras 2.21.0, read by tf-keras")


def test_the_network_is_all_integers_batch_norms_are_folded_and_the_softmax_is_cut(int8_network: Path):
    runner = load_classifier(int8_network).interpreter
    assert runner.input.dtype == runner.output.dtype == np.int8
    card = load_card(int8_network)
    # A BatchNorm that is not folded stays as MUL and ADD; the four ADDs are the network's own shortcuts.
    found = operations(int8_network.read_bytes())
    assert found == {"CONV_2D": 15, "DEPTHWISE_CONV_2D": 8, "MAX_POOL_2D": 3, "ADD": 4, "MEAN": 1}
    assert card.output == "logits"
    assert card.training["softmax"] == "cut"


def test_weights_are_quantized_per_channel(int8_network: Path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=int8_network.read_bytes())
    scales = [len(tensor["quantization_parameters"]["scales"]) for tensor in interpreter.get_tensor_details()]
    assert scales.count(128) >= 4  # the last stage has 128 filters: a scale each, not one for all


def test_tensors_have_no_names_that_a_small_device_would_have_to_hold(int8_network: Path):
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_content=int8_network.read_bytes()).get_tensor_details()
    # The names that are left are the delegate's own, made at run time.
    assert {tensor["name"] for tensor in details if "Delegate" not in tensor["name"]} <= {""}


def test_the_int8_file_agrees_with_the_original(int8_network: Path):
    scores = load_card(int8_network).scores["PublicTest"]
    assert scores["faces"] == 350
    assert scores["agreement_with_original"] > 0.93
    assert abs(scores["top1"] - scores["original_top1"]) < 0.03
    assert scores["original_top1"] > 0.5


def test_the_representative_faces_are_of_every_class_alike_and_the_same_again(slice_of_fer2013: Faces):
    training = slice_of_fer2013.split("Training")
    chosen = draw_representative(training)
    assert chosen.shape == (7 * min(20, REPRESENTATIVE_A_CLASS), 48, 48)
    assert (chosen == draw_representative(training)).all()
    without = training.chosen(training.labels != EMOTIONS.index("disgust"))
    with pytest.raises(UserError, match="no face that is disgust; every class is needed"):
        draw_representative(without)


def test_a_class_with_many_faces_gives_no_more_than_the_others():
    labels = np.repeat(np.arange(7), 500)
    images = np.zeros((len(labels), 48, 48), np.uint8)
    images[:, 0, 0] = labels
    faces = Faces(images, labels, np.full(len(labels), "Training"), np.arange(len(labels)))
    counts = np.bincount(draw_representative(faces)[:, 0, 0], minlength=7)
    assert counts.tolist() == [REPRESENTATIVE_A_CLASS] * 7
    few = replace(faces, labels=np.where((labels == 1) & (np.arange(len(labels)) > 510), 0, labels))
    assert len(draw_representative(few)) == 6 * REPRESENTATIVE_A_CLASS + 11


@pytest.mark.parametrize("kind", ["float16", "dynamic"])
def test_other_kinds_keep_float_at_their_ends_and_the_same_answers(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path, kind: str
):
    pytest.importorskip("tensorflow")
    model, output = data / "models/keras3/mini_xception_119.keras", tmp_path / "net.tflite"
    given = ("--range", "-1,1", "--labels", "fer2013", "--name", "mini XCEPTION", "--licence", "MIT")
    ended = convert("quantize", model, "-o", output, "--data", fer2013_csv, "--kind", kind, *given)
    assert ended.returncode == 0, ended.stderr
    assert "layout: given by the user" in ended.stdout
    card = load_card(output)
    assert (card.name, card.licence, card.training["kind"]) == ("mini XCEPTION", "MIT", kind)
    assert load_classifier(output).interpreter.input.dtype == np.float32
    assert card.scores["PublicTest"]["agreement_with_original"] > 0.97
    assert left_in(tmp_path) == ["net.json", "net.tflite"]


@pytest.fixture(scope="module")
def fragile(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mini XCEPTION, whose logits make a detour through numbers near 1,000: 256 steps are too few for both."""
    pytest.importorskip("tensorflow")
    code = f"""
import keras
whole = keras.models.load_model({str(data / "models/keras3/mini_xception_119.keras")!r})
x = keras.layers.Rescaling(1.0, 1000.0, name="lifted")(whole.layers[-1].input)
x = keras.layers.Rescaling(1.0, -1000.0)(keras.layers.ReLU(name="far")(x))
keras.Model(whole.inputs, keras.layers.Softmax()(x)).save("fragile.keras")
"""
    folder = tmp_path_factory.mktemp("fragile")
    subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True, timeout=600)
    return folder / "fragile.keras"


def test_an_int8_file_that_scores_clearly_lower_is_refused_with_the_operation_and_the_way_out(
    fragile: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    ended = convert("quantize", fragile, "-o", tmp_path / "net.tflite", "--data", fer2013_csv)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert re.search(r"as int8 it scores \d+\.\d\d points less on 350 faces of PublicTest", ended.stderr)
    # The range of the ADD is already that of the MEAN before it: TensorFlow gives both a step of 4.
    place = r"operation 3[12] of 33, (MEAN|ADD) of \S+"
    assert re.search(rf"more than --accept-loss 1; the answers part at {place}; nothing was written", ended.stderr)
    assert "try --kind dynamic, or accept the loss with --accept-loss" in ended.stderr
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("way_out", [("--kind", "dynamic"), ("--accept-loss", "100")])
def test_both_ways_out_write_the_file(
    fragile: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path, way_out: tuple[str, ...]
):
    ended = convert("quantize", fragile, "-o", tmp_path / "net.tflite", "--data", fer2013_csv, *way_out)
    assert ended.returncode == 0, ended.stderr
    assert left_in(tmp_path) == ["net.json", "net.tflite"]


def test_the_courses_network_converts_untrained_and_its_card_records_it(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    pytest.importorskip("tensorflow")
    model, output = data / "models/course/model-keras-2.10.0.json", tmp_path / "course.tflite"
    ended = convert("quantize", model, "--untrained", "-o", output, "--data", fer2013_csv)
    assert ended.returncode == 0, ended.stderr
    card = load_card(output)
    assert card.notes == "untrained: random weights"
    assert card.scores == {}
    assert 4_400_000 < output.stat().st_size < 4_700_000  # a byte for each of 4,478,727 parameters
    assert set(operations(output.read_bytes())) <= {"CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"}


def test_a_network_of_two_classes_is_refused_and_nothing_is_left(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    pytest.importorskip("tensorflow")
    model = data / "models/keras2/gender_mini_XCEPTION.21-0.95.hdf5"
    ended = convert("quantize", model, "-o", tmp_path / "gender.tflite", "--data", fer2013_csv)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"fer-convert: {model}: gives 2 classes, so it is not an expression network;")
    assert ended.stderr.count("\n") == 1
    assert left_in(tmp_path) == []


def test_a_full_disk_is_one_line_and_what_was_there_stays(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    pytest.importorskip("tensorflow")
    output = tmp_path / "net.tflite"
    output.write_bytes(b"the network of yesterday")
    # No file may grow beyond 50 kB: the network would, as on a disk that has no more room.
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    model = data / "models/keras3/mini_xception_119.keras"
    ended = convert("quantize", model, "-o", output, "--data", fer2013_csv, before=full)
    assert ended.returncode == 1
    assert "cannot be written: File too large" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert output.read_bytes() == b"the network of yesterday"
    assert left_in(tmp_path) == ["net.tflite"]


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    (tmp_path / "file").touch()
    model = data / "models/keras3/mini_xception_119.keras"
    ended = convert("quantize", model, "-o", tmp_path / "file/net.tflite", "--data", fer2013_csv)
    assert ended.returncode == 1
    assert "file/net.tflite" in ended.stderr
    assert "cannot be written" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_architecture_is_not_overwritten_by_a_card_of_the_same_name(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    architecture = Path(shutil.copy(data / "models/keras2/model.json", tmp_path / "model.json"))
    before = architecture.read_bytes()
    weights = data / "models/keras2/model_weights.h5"
    ended = convert("quantize", architecture, weights, "-o", tmp_path / "model.tflite", "--data", fer2013_csv)
    assert ended.returncode == 1
    assert "model.json: is there and is no model card" in ended.stderr
    assert architecture.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--mean", "127.5"), "--mean and --std belong together"),
        (("--mean", "0", "--std", "0"), "--std above 0"),
        (("--mean", "0", "--std", "nan"), "--std above 0"),
        (("--mean", "0", "--std", "1", "--range", "0,1"), "not both"),
    ],
)
def test_options_that_contradict_each_other_are_a_mistake_of_usage(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path, options: tuple[str, ...], says: str
):
    model = data / "models/keras3/mini_xception_119.keras"
    ended = convert("quantize", model, "-o", tmp_path / "net.tflite", "--data", fer2013_csv, *options)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert left_in(tmp_path) == []


def test_an_output_of_another_kind_is_a_mistake_of_usage(
    data: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    model = data / "models/keras3/mini_xception_119.keras"
    ended = convert("quantize", model, "-o", tmp_path / "net.onnx", "--data", fer2013_csv)
    assert ended.returncode == 2
    assert "must end in .tflite" in ended.stderr
