"""A SavedModel computes and does nothing else: other operations are refused before TensorFlow loads it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.data.faces import Faces
from converter.networks.inference import Source, infer
from converter.networks.saved_model import load_graph
from fer_edge.errors import UserError

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow and Keras warn about themselves as they load


def saved(folder: Path, effect: Callable[[Any], Any]) -> Path:
    """A SavedModel that computes seven numbers and has the ``effect``, a function of the images in TensorFlow."""
    import tensorflow as tf

    class Program(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.float32)])
        def serve(self, images):
            effect(images)
            return tf.reduce_mean(images, (1, 2)) + tf.zeros((1, 7))

    program = Program()
    tf.saved_model.save(program, str(folder / "net"), signatures=program.serve)
    return folder / "net"


def prints(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.print("text", output_stream=f"file://{witness}")


def writes(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.io.write_file(witness, "text")


def reads(_witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.io.read_file("/etc/hostname")


def lists(_witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.io.matching_files("/etc/*")


def saves(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda images: tf.raw_ops.SaveV2(
        prefix=witness, tensor_names=["images"], shape_and_slices=[""], tensors=[images]
    )


def saves_as_version_1(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda images: tf.raw_ops.Save(filename=witness, tensor_names=["images"], data=[images])


def restores(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.raw_ops.RestoreV2(
        prefix=witness, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )


def debugs(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda images: tf.raw_ops.DebugIdentityV2(input=images, debug_urls=[f"file://{witness}"])


def summarises(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.raw_ops.CreateSummaryFileWriter(
        writer=tf.raw_ops.SummaryWriter(), logdir=witness, max_queue=1, flush_millis=1, filename_suffix=""
    )


def records(witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.raw_ops.DatasetToTFRecord(
        input_dataset=tf.data.Dataset.from_tensors("text")._variant_tensor,
        filename=witness,
        compression_type="",
    )


def reads_lines(_witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda _: tf.raw_ops.TextLineDataset(filenames=["/etc/hostname"], compression_type="", buffer_size=0)


def calls_python(_witness: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda images: tf.numpy_function(np.sum, [images], tf.float32)


@pytest.mark.parametrize(
    ("effect", "operation"),
    [
        (prints, "PrintV2"),
        (writes, "WriteFile"),
        (reads, "ReadFile"),
        (lists, "MatchingFiles"),
        (saves, "SaveV2"),
        (saves_as_version_1, "Save"),
        (restores, "RestoreV2"),
        (debugs, "DebugIdentityV2"),
        (summarises, "CreateSummaryFileWriter"),
        (records, "DatasetToTFRecord"),
        (reads_lines, "TextLineDataset"),
        (calls_python, "PyFunc"),
    ],
)
def test_an_operation_that_reaches_outside_the_graph_is_refused_by_name(
    tmp_path: Path, effect: Callable[[str], Callable[[Any], Any]], operation: str
):
    witness = tmp_path / "witness"
    folder = saved(tmp_path, effect(str(witness)))
    with pytest.raises(UserError, match=rf"operations that are not allowed \(.*\b{operation}\b.*\)") as caught:
        load_graph(folder)
    assert str(caught.value).startswith(f"{folder}: ")
    assert "\n" not in str(caught.value)
    assert not witness.exists()


def test_an_operation_in_a_branch_of_a_loop_in_a_function_is_found(tmp_path: Path):
    import tensorflow as tf

    @tf.function
    def write() -> Any:
        tf.io.write_file(str(tmp_path / "witness"), "text")
        return tf.constant(1)

    def effect(images: Any) -> None:
        def body(step: Any) -> Any:
            return step + tf.cond(tf.reduce_sum(images) > 0, write, lambda: tf.constant(1))

        tf.while_loop(lambda step: step < 3, body, [0])

    with pytest.raises(UserError, match=r"not allowed \(.*WriteFile"):
        load_graph(saved(tmp_path, effect))


def test_an_operation_that_runs_while_loading_is_never_run(tmp_path: Path):
    import tensorflow as tf
    from tensorflow.python.trackable.resource import CapturableResource

    witness = tmp_path / "witness"

    class Table(CapturableResource):  # type: ignore[misc]  # what a vocabulary table is: initialized on load
        def _create_resource(self) -> Any:
            return tf.constant(0)

        def _initialize(self) -> Any:
            tf.io.write_file(str(witness), "text")
            return tf.constant(1)

    class Program(tf.Module):
        def __init__(self) -> None:
            self.table = Table()

        @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.float32)])
        def serve(self, images):
            return tf.reduce_mean(images, (1, 2)) + tf.zeros((1, 7))

    program = Program()
    tf.saved_model.save(program, str(tmp_path / "net"), signatures=program.serve)
    witness.unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"not allowed \(.*WriteFile"):
        load_graph(tmp_path / "net")
    assert not witness.exists()


def test_loops_branches_variables_and_text_that_is_no_operation_pass(tmp_path: Path):
    import tensorflow as tf

    class Program(tf.Module):
        def __init__(self) -> None:
            self.weight = tf.Variable(2.0)
            self.offset = tf.constant(3.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.float32)])
        def serve(self, images):
            steps = tf.while_loop(lambda step: step < 3, lambda step: step + 1, [0])[0]
            factor = tf.cond(tf.reduce_sum(images) > 0, lambda: self.weight * 1.0, lambda: 0.0)
            return tf.reduce_mean(images, (1, 2)) * factor + tf.cast(steps, tf.float32) + self.offset + tf.zeros((1, 7))

    program = Program()
    tf.saved_model.save(program, str(tmp_path / "net"), signatures=program.serve)
    graph = load_graph(tmp_path / "net")
    assert np.asarray(graph.call(np.ones((2, 48, 48, 1), np.float32))) == pytest.approx(np.full((2, 7), 8.0))


@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_layers_of_keras_pass_recurrent_and_augmenting_ones_too(tmp_path: Path, module: str):
    keras = pytest.importorskip(module)
    layers = keras.layers
    face = keras.Input((48, 48, 1))
    x = layers.RandomRotation(0.1)(layers.RandomFlip()(layers.Rescaling(1 / 255)(face)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.SeparableConv2D(4, 3)(x)))
    x = layers.Reshape((16, 64))(layers.Resizing(16, 16)(x))
    x = layers.Dropout(0.2)(layers.LSTM(4)(x))
    model = keras.Model(face, layers.Dense(7, activation="softmax")(x))
    if module == "keras":
        model.export(tmp_path / "net", verbose=False)
    else:
        model.save(tmp_path / "net", save_format="tf")
    images = np.random.default_rng(1).random((2, 48, 48, 1), np.float32)
    assert np.asarray(load_graph(tmp_path / "net").call(images)) == pytest.approx(np.asarray(model(images)), abs=1e-3)


def test_a_second_description_of_the_graph_in_the_folder_is_not_looked_at(tmp_path: Path):
    harmless, other = tmp_path / "harmless", tmp_path / "other"
    folder = saved(harmless, lambda _: None)
    bad = saved(other, writes(str(tmp_path / "witness")))
    for name in ("saved_model.cpb", "saved_model.pbtxt"):
        (folder / name).write_bytes((bad / "saved_model.pb").read_bytes())
    assert load_graph(folder).outputs[1] == 7
    assert not (tmp_path / "witness").exists()


def test_a_pipe_in_place_of_the_variables_is_one_line_without_waiting(tmp_path: Path):
    folder = saved(tmp_path, lambda _: None)
    pipe = folder / "variables/variables.index"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"variables\.index: is not a regular file"):
        load_graph(folder)


def test_a_graph_that_is_no_graph_is_one_line(tmp_path: Path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 1000)
    with pytest.raises(UserError, match=r"saved_model\.pb is damaged or truncated"):
        load_graph(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError, match=r"is no SavedModel of TensorFlow 2"):
        load_graph(tmp_path)


def test_a_graph_that_needs_more_memory_than_allowed_is_one_line(tmp_path: Path):
    import tensorflow as tf

    class Program(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 48, 48, 1), tf.float32)])
        def serve(self, images):
            large = tf.fill([3, 1024, 1024, 1024], tf.reduce_max(images))  # 12 GiB
            return tf.reduce_mean(images, (1, 2)) + tf.reduce_sum(large) + tf.zeros((1, 7))

    program = Program()
    tf.saved_model.save(program, str(tmp_path / "net"), signatures=program.serve)
    faces = Faces(np.zeros((7, 48, 48), np.uint8), np.arange(7), np.full(7, "PublicTest"), np.arange(7))
    with pytest.raises(UserError, match=r"net: needs more than 8 GiB of memory$"):
        infer(Source("net", tmp_path / "net"), faces, lambda _: None)
