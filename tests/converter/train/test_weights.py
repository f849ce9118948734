"""A file that ships, loaded into Keras, gives the same outputs, and its BatchNorms normalise in training."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.data.faces import Faces  # noqa: E402
from converter.detector import architecture as detector  # noqa: E402
from converter.networks.tflite import run_tflite  # noqa: E402
from converter.train import architectures as networks  # noqa: E402  only where Keras is
from converter.train.batches import inputs  # noqa: E402
from converter.train.weights import folded_weights, load_tflite_weights  # noqa: E402
from fer_edge.errors import UserError  # noqa: E402
from fer_edge.vision.box_decoding import CHANNELS  # noqa: E402
from fer_edge.vision.classifier import load_classifier  # noqa: E402
from fer_edge.vision.interpreter import Interpreter, dequantize  # noqa: E402

MODELS = Path(__file__).resolve().parents[3] / "fer_edge/models"
FACE = MODELS / "fer-face.tflite"

# NumPy 2 asks TensorFlow's variables for a copy in a way that they do not know yet.
UNKNOWN_TO_TENSORFLOW = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")


def put_back(name: str, pictures: np.ndarray) -> keras.Model:
    network = networks.build(name)
    load_tflite_weights(network, MODELS / f"fer-{name}.tflite", pictures)
    return network


@pytest.mark.data
@pytest.mark.parametrize("name", ["nano", "small"])
def test_network_that_ships_agrees_in_keras_with_its_file(name: str, slice_of_fer2013: Faces):
    faces = slice_of_fer2013.split("PublicTest").images
    logits = networks.logits_model(put_back(name, inputs(faces[:64]))).predict(inputs(faces), verbose=0)
    said = run_tflite(load_classifier(MODELS / f"fer-{name}.tflite"), faces)
    assert (logits.argmax(axis=1) == said.argmax(axis=1)).mean() > 0.95
    assert np.abs(logits - said).mean() < 0.05 * said.std()  # activations of int8 are rounded on their way


@pytest.mark.data
def test_pictures_for_the_statistics_do_not_change_the_outputs(slice_of_fer2013: Faces):
    faces = inputs(slice_of_fer2013.images[:100])
    one, other = (put_back("nano", seen).predict(faces, verbose=0) for seen in (faces[:20], -faces[50:]))
    assert one == pytest.approx(other, abs=1e-4)


def test_what_is_seen_in_training_is_normalised_as_it_is_afterwards():
    pictures = np.random.default_rng(4).uniform(-1, 1, (4, 96, 128, 3)).astype(np.float32)
    network = detector.build()
    load_tflite_weights(network, FACE, pictures)
    after = keras.ops.convert_to_numpy(network(pictures, training=False))
    meanwhile = keras.ops.convert_to_numpy(network(pictures, training=True))
    assert after.shape == (4, 12, 16, CHANNELS)
    assert np.abs(after - meanwhile).max() < 0.01
    assert after.std() > 0.1


def test_detector_that_ships_agrees_in_keras_with_its_file():
    pixels = np.random.default_rng(5).integers(0, 256, (1, 128, 160, 3))
    network = detector.build()
    load_tflite_weights(network, FACE, np.random.default_rng(4).uniform(-1, 1, (2, 96, 128, 3)).astype(np.float32))
    said = network.predict_on_batch((pixels.astype(np.float32) - 128) / 128)
    runner = Interpreter(FACE.read_bytes(), "the detector")
    file = dequantize(runner.invoke((pixels - 128).astype(np.int8))[0], runner.output)
    assert np.abs(said[0] - file).mean() < 0.1  # of 0 to 6


def written(network: keras.Model, folder: Path, *, float16: bool) -> Path:
    """``network`` as a TFLite file of floats."""
    tensorflow = pytest.importorskip("tensorflow")
    lite = tensorflow.lite
    network.export(folder / "saved", verbose=False)
    converter = lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    if float16:
        converter.optimizations = [lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]
    path = folder / "written.tflite"
    path.write_bytes(converter.convert())
    return path


@UNKNOWN_TO_TENSORFLOW
def test_float16_file_gives_back_the_network_it_was_made_of(tmp_path: Path):
    pictures = np.random.default_rng(6).uniform(-1, 1, (16, 48, 48, 1)).astype(np.float32)
    original, taken = put_back("nano", pictures), networks.build("nano")
    load_tflite_weights(taken, written(original, tmp_path, float16=True), pictures)
    one, other = (network.predict(pictures, verbose=0) for network in (original, taken))
    assert one == pytest.approx(other, abs=0.01)  # a float16 has 11 bits
    assert one.std() > 0.1


@UNKNOWN_TO_TENSORFLOW
@pytest.mark.parametrize("float16", [False, True])
def test_layers_without_a_bias_have_one_of_zeros(tmp_path: Path, *, float16: bool):
    layers = keras.layers
    network = keras.Sequential([layers.Input((6,)), layers.Dense(5, use_bias=False)])
    (dense,) = folded_weights(written(network, tmp_path, float16=float16))
    assert dense.kernel == pytest.approx(network.get_weights()[0], abs=1e-3)
    assert dense.bias.tolist() == [0.0] * 5


@UNKNOWN_TO_TENSORFLOW
def test_file_whose_kernel_is_all_zeros_is_refused(tmp_path: Path):
    layers = keras.layers
    dead = layers.Dense(5, kernel_initializer="zeros", bias_initializer="ones")
    network = keras.Sequential([layers.Input((6,)), layers.Dense(4), dead])
    with pytest.raises(UserError, match=r"written\.tflite: the kernel of its layer 2 is all zeros; give another file"):
        folded_weights(written(network, tmp_path, float16=False))


def test_kernels_and_biases_come_out_in_the_order_of_the_layers():
    shapes = [part.kernel.shape for part in folded_weights(MODELS / "fer-nano.tflite")]
    assert shapes[0] == (5, 5, 1, 16)
    assert shapes[-1] == (60, 7)
    assert all(len(part.bias) == part.kernel.shape[-1] for part in folded_weights(FACE))


def test_file_of_another_network_is_refused():
    with pytest.raises(UserError, match=r"fer-small\.tflite: holds no weights that fit nano"):
        load_tflite_weights(networks.build("nano"), MODELS / "fer-small.tflite", np.zeros((1, 48, 48, 1), np.float32))


def test_file_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "torn.tflite").write_bytes(FACE.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"torn\.tflite: is no TFLite file that the runtime reads"):
        folded_weights(tmp_path / "torn.tflite")
