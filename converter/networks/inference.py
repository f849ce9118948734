"""A Keras network's own outputs for labelled faces, and how it is fed and read; computed in the worker process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.calibration import softmax
from converter.networks.identify import identify
from converter.networks.keras_model import Network, check_classes, load
from converter.networks.layout import OutputKind, Scaling, as_logits, choose_layout, output_kind
from converter.networks.worker import Limits, Report, run_in_worker
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError


@dataclass(frozen=True, slots=True)
class Source:
    """A Keras network in a file, with the layout that the user gives."""

    name: str  # in its card
    model: Path
    weights: Path | None = None
    untrained: bool = False  # accept an architecture without weights
    scaling: Scaling | None = None  # None: to be found
    labels: tuple[str, ...] | None = None  # the network's order; None: to be found


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """The outputs of a Keras network, with its layout."""

    description: str  # container, the Keras that wrote it and the one that read it
    height: int
    width: int
    channels: Literal[1, 3]
    scaling: Scaling
    labels: tuple[str, ...]
    found: str  # how the layout was found, one sentence; empty where it was given
    kind: OutputKind
    outputs: NDArray[np.float32]  # (n, 7) in the network's own order

    def probabilities(self) -> NDArray[np.float64]:
        """(n, 7) in the order of `EMOTIONS`, without a temperature."""
        columns = [self.labels.index(emotion) for emotion in EMOTIONS]
        return softmax(as_logits(self.outputs, self.kind)[:, columns])


def infer(source: Source, faces: Faces, report: Report) -> Inference:
    """Return the outputs of a Keras network for ``faces``, computed in a process of its own.

    Raises UserError, one line, where the network is at fault or its process dies.
    """
    return run_in_worker(_infer, source, faces, model=source.model, report=report, limits=Limits())


def loaded_and_inferred(source: Source, faces: Faces, report: Report) -> tuple[Network, Inference]:
    """Load the network of ``source`` and compute its outputs for ``faces``; for the worker process."""
    file = identify(source.model, source.weights, untrained=source.untrained)
    report(f"reading {file}")
    network = load(file)
    check_classes(network, str(source.model))

    def infer(scaling: Scaling, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return _outputs(network, faces.images[indices], scaling)

    try:
        layout, found = choose_layout(infer, faces.labels, source.scaling, source.labels)
    except UserError as error:
        raise UserError(f"{source.model}: {error}") from error
    report(f"running the network on {len(faces):,} faces")
    outputs = _outputs(network, faces.images, layout.scaling)
    if not np.isfinite(outputs).all():
        raise UserError(f"{source.model}: its outputs are not finite; its weights are damaged")
    inference = Inference(
        description=network.description,
        height=network.height,
        width=network.width,
        channels=network.channels,
        scaling=layout.scaling,
        labels=layout.labels,
        found=found,
        kind=output_kind(outputs),
        outputs=outputs,
    )
    return network, inference


def _outputs(network: Network, images: NDArray[np.uint8], scaling: Scaling) -> NDArray[np.float32]:
    try:
        return network.infer(images, scaling)
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":  # of TensorFlow, which is not imported for its name alone
            raise MemoryError from error
        raise


def _infer(source: Source, faces: Faces, report: Report) -> Inference:
    return loaded_and_inferred(source, faces, report)[1]
