"""Teachers must give probabilities that fit the labels; a resumed run must have the same teachers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.data.faces import Faces  # noqa: E402
from converter.train import architectures as networks  # noqa: E402  only where Keras is
from converter.train.batches import inputs  # noqa: E402
from converter.train.distillation import digest, soft_targets  # noqa: E402
from converter.train.weights import load_tflite_weights  # noqa: E402
from fer_edge.errors import UserError  # noqa: E402

SHIPS = Path(__file__).resolve().parents[3] / "fer_edge/models/fer-nano.tflite"

# NumPy 2 asks TensorFlow's variables for a copy in a way that they do not know yet.
UNKNOWN_TO_TENSORFLOW = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")

pytestmark = [pytest.mark.slow, pytest.mark.data, UNKNOWN_TO_TENSORFLOW]


@pytest.fixture(scope="module")
def training(slice_of_fer2013: Faces) -> Faces:
    return slice_of_fer2013.split("Training")


@pytest.fixture(scope="module")
def nano(training: Faces) -> keras.Model:
    """The network that ships, in Keras."""
    network = networks.build("nano")
    load_tflite_weights(network, SHIPS, inputs(training.images[:64]))
    return network


def saved(network: keras.Model, path: Path) -> Path:
    network.save(path)
    return path


def test_the_same_network_teaches_the_same_as_keras_and_as_tflite(
    nano: keras.Model, training: Faces, tmp_path: Path
) -> None:
    one, other = (soft_targets([path], training) for path in (saved(nano, tmp_path / "nano.keras"), SHIPS))
    assert one.sum(axis=1) == pytest.approx(np.ones(140), abs=1e-5)
    assert (one.argmax(axis=1) == training.labels).mean() > 0.5
    assert (one.argmax(axis=1) == other.argmax(axis=1)).mean() > 0.95


def test_a_teacher_that_gives_logits_is_refused(nano: keras.Model, training: Faces, tmp_path: Path) -> None:
    path = saved(networks.logits_model(nano), tmp_path / "logits.keras")
    with pytest.raises(UserError, match=r"logits\.keras: gives no probabilities; end it in a softmax"):
        soft_targets([path], training)


def test_a_teacher_of_another_class_order_is_refused(nano: keras.Model, training: Faces, tmp_path: Path) -> None:
    turned = networks.build("nano")
    turned.set_weights(nano.get_weights())
    logits = turned.get_layer(networks.LOGITS)
    logits.set_weights([np.roll(weights, 1, axis=-1) for weights in logits.get_weights()])
    path = saved(turned, tmp_path / "turned.keras")
    with pytest.raises(UserError, match=r"turned\.keras: reads \d+% of the training faces right, so"):
        soft_targets([path], training)


def test_a_teacher_of_nan_is_refused(nano: keras.Model, training: Faces, tmp_path: Path) -> None:
    broken = networks.build("nano")
    broken.set_weights([np.full_like(weights, np.nan) for weights in nano.get_weights()])
    with pytest.raises(UserError, match="gives no probabilities"):
        soft_targets([saved(broken, tmp_path / "nan.keras")], training)


def test_a_teacher_file_that_is_cut_is_refused(nano: keras.Model, training: Faces, tmp_path: Path) -> None:
    path = saved(nano, tmp_path / "cut.keras")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"cut\.keras: is a damaged or truncated \.keras file"):
        soft_targets([path], training)


def test_a_teacher_whose_file_could_run_code_is_refused_before_keras_sees_it(training: Faces, tmp_path: Path) -> None:
    face = keras.Input((48, 48, 1))
    flat = keras.layers.Flatten()(keras.layers.Lambda(lambda x: x, name="sly")(face))
    network = keras.Model(face, keras.layers.Dense(7, "softmax")(flat))
    with pytest.raises(UserError, match=r"sly\.keras: layer 'sly' is a Lambda layer"):
        soft_targets([saved(network, tmp_path / "sly.keras")], training)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_teacher_in_hdf5_is_refused_whatever_its_name(nano: keras.Model, training: Faces, tmp_path: Path) -> None:
    path = saved(nano, tmp_path / "nano.h5").rename(tmp_path / "nano.keras")
    with pytest.raises(UserError, match=r"nano\.keras: is no \.keras file \(HDF5 file of Keras 3\S*\); give that"):
        soft_targets([path], training)


def test_the_digest_is_of_a_tflite_teachers_card_too(tmp_path: Path) -> None:
    teacher, card = tmp_path / "nano.tflite", tmp_path / "nano.json"
    shutil.copyfile(SHIPS, teacher)
    shutil.copyfile(SHIPS.with_suffix(".json"), card)
    before = digest([teacher])
    assert digest([teacher]) == before
    card.write_text(json.dumps(json.loads(card.read_bytes()) | {"temperature": 3.0}))
    assert digest([teacher]) != before
    card.unlink()
    with pytest.raises(UserError, match=r"nano\.tflite: has no card nano\.json beside it"):
        digest([teacher])


def test_the_digest_of_no_teacher_and_of_a_keras_file_is_what_it_always_was(tmp_path: Path) -> None:
    (tmp_path / "x.keras").write_bytes(b"x")
    assert digest([]) == ""
    # printf x | sha256sum | cut -c1-64 | xxd -r -p | sha256sum
    assert digest([tmp_path / "x.keras"]) == "0a325ca303eb3014c43ae004970f343634db176fa1697bcc8c9efac94626488d"
