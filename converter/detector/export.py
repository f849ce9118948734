"""`fer-convert export-detector`: a trained detector becomes the int8 file that the daemon runs, with its card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from rich.console import Console

from converter.detector import architecture
from converter.detector.architecture import NAME
from converter.detector.command import photos_option, read_all
from converter.detector.dataset import Photo
from converter.detector.synthesis import MEAN, STD, Gallery, augment_light, inputs, scene
from converter.networks.tflite import operations
from converter.networks.worker import Limits, Report, run_in_worker
from converter.provenance import read_provenance
from converter.quantize.command import check_output
from converter.quantize.convert import without_names
from converter.train.weights import load_weights
from fer_edge import __version__
from fer_edge.config.model import DetectSettings
from fer_edge.errors import UserError
from fer_edge.files import atomic_output
from fer_edge.vision.interpreter import Interpreter
from fer_edge.vision.model_card import (
    DetectorCard,
    PixelScaling,
    card_path,
    load_detector_card,
    save_card,
    sha256_of,
    verify_detector,
)
from fer_edge.vision.tflite_detector import TfliteDetector, logit

REPRESENTATIVE = 200  # scenes by whose activations the int8 scales are set
SIZE_PX = (128, 160)  # default height and width of the file's input
SEED = 20130701  # draws the scenes
# How far the default of `detect.score` stands above what all but one in a hundred of the photos without people reach:
# the network has learned these, others will be harder. Not the surest alone, which is one odd picture.
EMPTY, DISTANCE = 0.99, 0.05


@click.command(short_help="Make the daemon's TFLite file of a trained detector.")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@photos_option
@click.option("--name", help="The network's name in its card and in messages. Without it: the output's file name.")
@click.option("--licence", default="", help="Under which licence the network may be used; goes into the card.")
def command(run: Path, output: Path, photos: tuple[tuple[Path, Path], ...], name: str | None, licence: str) -> None:
    """Make an int8 TFLite file and its card of RUN, a folder of `fer-convert train-detector`.

    Give the photos that it was trained on: they set the int8 scales, and those without faces what a score means.
    """
    console = Console(soft_wrap=True, highlight=False)
    check_output(output, load_detector_card)
    # Both files are opened before minutes of work; their drafts lie side by side, as the files will.
    with atomic_output(output) as drafted, atomic_output(card_path(output)):
        with console.status("reading photos") as at:
            shown = read_all(photos)
            content = exported(run, shown, at.update)
            card = DetectorCard(
                name=name or output.stem,
                sha256=sha256_of(content),
                input=PixelScaling(mean=MEAN, std=STD),
                training=_provenance(run, content),
                licence=licence,
            )
            at.update("looking at photos without faces")
            card = replace(card, score_offset=score_offset(card, content, shown))
        drafted.write_bytes(content)
        save_card(card, drafted)
    click.echo(f"{output}: {len(content):,} bytes, scores shifted by {card.score_offset:+.2f}")


def exported(run: Path, photos: list[Photo], report: Report) -> bytes:
    """The int8 file of the network in the folder ``run``."""
    weights = run / f"{NAME}.weights.h5"
    if not weights.is_file():
        raise UserError(f"{run}: has no {weights.name}: it is no folder of `fer-convert train-detector`")
    scenes = _representative(photos)
    return run_in_worker(_converted, weights, scenes, model=weights, report=report, limits=Limits())


def score_offset(card: DetectorCard, content: bytes, photos: list[Photo]) -> float:
    """Return the offset of the logits that keeps photos without faces below the default of `detect.score`.

    A network's own scores depend on how rare faces were in its training. 0 where no photo is known to be empty.
    """
    usual = DetectSettings().score
    detector = TfliteDetector(card, _runner(content), DetectSettings(backend="own", width=SIZE_PX[1], score=0.0))
    surest = [
        max((face.score for face in detector.detect(photo.pixels)), default=0.0)
        for photo in photos
        if photo.known_empty
    ]
    return round(logit(usual - DISTANCE) - logit(float(np.quantile(surest, EMPTY))), 3) if surest else 0.0


def _runner(content: bytes) -> Interpreter:
    runner = Interpreter(content, "the exported network")
    verify_detector(runner, Path("the exported network"))
    return runner


def _representative(photos: list[Photo]) -> NDArray[np.uint8]:
    rng = np.random.default_rng(SEED)
    gallery = Gallery(photos)
    scenes = [augment_light(scene(gallery, [], *SIZE_PX, rng).pixels, rng) for _ in range(REPRESENTATIVE)]
    scenes[0][0, 0], scenes[0][0, 1] = 0, 255  # the input's scale is then 1 / 128, and pixels go in as they are
    return np.stack(scenes)


def _provenance(run: Path, content: bytes) -> dict[str, Any]:
    """Provenance of the file, with that of the training."""
    how: dict[str, Any] = {
        "made_from": f"{NAME}.weights.h5",
        "kind": "int8",
        "operations": dict(operations(content)),
        "converter": f"fer-edge {__version__}",
        "representative": {"scenes": REPRESENTATIVE, "seed": SEED},
    }
    if (trained := read_provenance(run)) is not None:
        how["trained"] = trained
    return how


def _converted(weights: Path, pictures: NDArray[np.uint8], report: Report) -> bytes:
    """Return the int8 file, in the worker process; its input has the size of ``pictures`` (n, h, w, 3) by default."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    report("converting to int8")
    model = architecture.build(_tensorflow_depth_to_space)
    load_weights(model, weights)
    spec = tf.TensorSpec((1, *pictures.shape[1:]), tf.float32)
    graph = tf.function(lambda picture: model(picture, training=False)).get_concrete_function(spec)
    frozen = convert_variables_to_constants_v2(graph)  # only of constants do BatchNorms fold
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for picture in pictures:
            yield [inputs(picture[None])]

    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return without_names(converter.convert())


def _tensorflow_depth_to_space(x: Any) -> Any:
    """One operation of TFLite; of Keras' own reshapes the converter would make a picture of one size."""
    import tensorflow as tf
    from keras import layers

    class DepthToSpace(layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            return tf.nn.depth_to_space(x, 2)

    return DepthToSpace()(x)
