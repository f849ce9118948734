"""Every container gives the outputs of the network it was saved from; networks of other shapes are refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.networks.identify import identify
from converter.networks.keras_model import Network, check_classes, load, network_input
from converter.networks.layout import RANGES
from converter.quantize.convert import Target, tflite_of
from fer_edge.errors import UserError

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow and Keras warn about themselves as they load

FACES = np.random.default_rng(5).integers(0, 256, (9, 48, 48), np.uint8)
WHOLE = "keras2/fer2013_mini_XCEPTION.119-0.65.hdf5"


@pytest.mark.parametrize(
    ("model", "weights", "reader"),
    [
        (WHOLE, None, "HDF5 file of Keras 2.0.5, read by tf-keras"),
        ("keras2/model.json", "keras2/model_weights.h5", "JSON architecture of Keras 2.21.0, read by tf-keras"),
        ("keras2/model.json", WHOLE, "JSON architecture of Keras 2.21.0, read by tf-keras"),
        ("keras3/mini_xception_119.keras", None, ".keras file of Keras 3.15.1, read by Keras 3"),
        ("savedmodel", None, "SavedModel of Keras 2, read by TensorFlow"),
    ],
)
def test_every_container_gives_the_answers_of_the_network_it_was_saved_from(
    data: Path, model: str, weights: str | None, reader: str
):
    models = data / "models"
    network = load(identify(models / model, models / weights if weights else None))
    assert network.description.startswith(reader)
    assert (network.height, network.width, network.channels, network.classes) == (48, 48, 1, 7)
    with np.load(models / "keras2/reference_io.npz") as reference:
        inputs, outputs = (reference[key] for key in reference.files)
    assert np.asarray(network.call(inputs)) == pytest.approx(outputs, abs=1e-5)


def test_the_courses_architecture_builds_without_weights(data: Path):
    network = load(identify(data / "models/course/model-keras-2.2.4-tf.json", untrained=True))
    assert network.classes == 7
    assert network.infer(np.zeros((3, 48, 48), np.uint8), RANGES["0,1"]).shape == (3, 7)


def test_faces_are_sized_and_scaled_as_the_network_wants_them(data: Path):
    network = load(identify(data / "models/keras2/fer2013_mini_XCEPTION.102-0.66.hdf5"))
    faces = np.stack([np.zeros((48, 48), np.uint8), np.full((48, 48), 255, np.uint8)])
    images = network_input(faces, network, RANGES["-1,1"])
    assert images.shape == (2, 64, 64, 1)
    assert (images[0] == -1).all()
    assert (images[1] == 1).all()
    many = np.concatenate([faces] * 40)  # more than one batch, and a last one that is not full
    assert network.infer(many, RANGES["-1,1"]) == pytest.approx(
        np.tile(np.asarray(network.call(images)), (40, 1)), abs=1e-5
    )


def test_weights_of_another_network_are_refused(data: Path):
    course, weights = data / "models/course/model-keras-2.10.0.json", data / "models/keras2/model_weights.h5"
    with pytest.raises(
        UserError, match=r"model_weights\.h5: these weights do not fit .*model-keras-2\.10\.0\.json"
    ) as caught:
        load(identify(course, weights))
    assert "\n" not in str(caught.value)


def test_the_gender_network_is_refused_as_no_expression_network(data: Path):
    network = load(identify(data / "models/keras2/gender_mini_XCEPTION.21-0.95.hdf5"))
    with pytest.raises(UserError, match=r"gives 2 classes, so it is not an expression network; that gives 7"):
        check_classes(network, "gender.hdf5")


def head(layers: Any, x: Any) -> Any:
    return layers.Dense(7)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, strides=2, activation="relu")(x)))


def converted(network: Network, folder: Path) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(tflite_of(network, Target(), network_input(FACES, network, RANGES["0,255"]), "net")[0])
    return path


@pytest.mark.parametrize("module", ["keras", "tf_keras"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_network_trained_in_mixed_precision_is_converted_in_float32(tmp_path: Path, module: str, ending: str):
    keras = pytest.importorskip(module)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        face = keras.layers.Input((48, 48, 1))
        model = keras.Model(face, keras.layers.Activation("linear", dtype="float32")(head(keras.layers, face)))
        model.save(tmp_path / f"net.{ending}")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    network = load(identify(tmp_path / f"net.{ending}"))
    assert network.description.endswith("in float32")
    in_half = np.asarray(model(FACES[..., None] / np.float32(255)))
    assert network.infer(FACES, RANGES["0,1"]) == pytest.approx(in_half, abs=0.01)  # sums of numbers of 11 bits
    assert converted(network, tmp_path).exists()


def test_a_saved_model_in_mixed_precision_is_refused_with_the_cure(tmp_path: Path):
    import keras

    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    layers = [keras.Input((48, 48, 1)), keras.layers.Conv2D(7, 3, dtype=policy), keras.layers.GlobalMaxPooling2D()]
    keras.Sequential(layers).export(tmp_path / "net", verbose=False)
    with pytest.raises(UserError, match=r"half precision; save it again under the policy float32$"):
        converted(load(identify(tmp_path / "net")), tmp_path)


def test_a_saved_model_that_takes_bytes_is_given_bytes(tmp_path: Path):
    import keras

    face = keras.Input((48, 48, 1), dtype="uint8")
    model = keras.Model(face, head(keras.layers, keras.layers.Rescaling(1 / 255)(face)))
    model.export(tmp_path / "net", verbose=False)
    network = load(identify(tmp_path / "net"))
    assert network.infer(FACES, RANGES["0,255"]) == pytest.approx(np.asarray(model(FACES[..., None])), abs=1e-5)
    assert converted(network, tmp_path).exists()


def test_an_input_and_an_output_with_names_are_the_picture_and_the_vector(tmp_path: Path):
    import keras

    face = keras.Input((48, 48, 1), name="image")
    model = keras.Model({"image": face}, {"emotion": head(keras.layers, face)})
    model.save(tmp_path / "net.keras")
    wanted = np.asarray(model({"image": FACES[..., None].astype(np.float32)})["emotion"])
    network = load(identify(tmp_path / "net.keras"))
    assert network.infer(FACES, RANGES["0,255"]) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("container", ["h5", "json"])
def test_code_in_a_model_file_is_never_run(tmp_path: Path, container: str):
    import tf_keras

    witness = tmp_path / "witness"
    inputs = tf_keras.Input((48, 48, 1), name="face")
    # Only what is in the bytecode and its defaults survives in a file, so no Path.
    scaled = tf_keras.layers.Lambda(
        lambda x, path=str(witness): (open(path, "a").close(), x / 255)[1],  # noqa: PTH123
        name="scale",
    )
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(7)(tf_keras.layers.Flatten()(scaled(inputs))))
    witness.unlink()  # building it ran the code; loading it must not
    path = tmp_path / f"net.{container}"
    if container == "h5":
        model.save(path, save_format="h5")
    else:
        path.write_text(model.to_json())
    with pytest.raises(
        UserError, match=r"layer 'scale' is a Lambda layer \(Lambda\): code in model files is never run"
    ):
        load(identify(path, untrained=container == "json"))
    assert not witness.exists()


def test_a_lambda_in_a_keras_3_file_is_refused_by_name(tmp_path: Path):
    import keras

    double = keras.layers.Lambda(lambda x: 2 * x, name="double")
    model = keras.Sequential([keras.Input((48, 48, 1)), double, keras.layers.Flatten(), keras.layers.Dense(7)])
    model.save(tmp_path / "net.keras")
    with pytest.raises(UserError, match=r"layer 'double' is a Lambda layer"):
        load(identify(tmp_path / "net.keras"))


def test_what_is_no_picture_in_and_one_vector_out_is_refused(tmp_path: Path):
    import keras

    def saved(name: str, inputs, outputs):
        keras.Model(inputs, outputs).save(tmp_path / name)
        return identify(tmp_path / name)

    face = keras.Input((48, 48, 1))
    vector = keras.layers.Dense(7)(keras.layers.Flatten()(face))
    with pytest.raises(UserError, match=r"has 1 inputs and 2 outputs"):
        load(saved("two.keras", face, [vector, vector]))
    any_size = keras.Input((None, None, 1))
    with pytest.raises(UserError, match=r"takes \(any, any, 1\); .* of fixed size"):
        load(saved("any.keras", any_size, keras.layers.Dense(7)(keras.layers.GlobalMaxPooling2D()(any_size))))
    with pytest.raises(UserError, match=r"gives \(48, 48, 1\); an expression network gives one vector"):
        load(saved("map.keras", face, keras.layers.ReLU()(face)))


@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_an_architecture_without_an_input_size_is_one_line(tmp_path: Path, module: str):
    keras = pytest.importorskip(module)
    path = tmp_path / "model.json"
    path.write_text(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(7)]).to_json())
    with pytest.raises(UserError, match=r"has no size of its input"):
        load(identify(path, untrained=True))


def test_a_truncated_saved_model_is_one_line(data: Path, tmp_path: Path):
    folder = tmp_path / "net"
    shutil.copytree(data / "models/savedmodel", folder)
    graph = folder / "saved_model.pb"
    content = graph.read_bytes()
    graph.chmod(0o644)
    graph.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"saved_model\.pb is damaged or truncated; copy it again"):
        load(identify(folder))


def test_keras_1_is_refused_with_the_cure(tmp_path: Path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": [], "keras_version": "1.2.2"}))
    with pytest.raises(UserError, match=r"was written by Keras 1\.2\.2; open it with Keras 2 and save it again"):
        load(identify(path, untrained=True))
