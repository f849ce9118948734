"""Outputs of the bundled networks and the whole pipeline on this processor, as JSON: findings.py FACES.npy FILM FRAMES.

FACES are (n, 48, 48) uint8. A test runs this on two kinds of processor and compares.
"""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import fer_edge.models
from fer_edge.capture.sources import play
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings, Settings
from fer_edge.events.lifecycle import EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.video.tables import EventFile, line
from fer_edge.vision.analyzer import build_analyzer
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.delegate import delegated_share
from fer_edge.vision.interpreter import pixel_table
from fer_edge.vision.model_card import EXPRESSION, card_path
from fer_edge.vision.preprocess import resized


def reads_expressions(path: Path) -> bool:
    """Return whether the file is an expression network, not the detector."""
    return json.loads(card_path(path).read_bytes())["kind"] == EXPRESSION


def network(path: Path, faces: Any) -> dict[str, Any]:
    """Raw outputs of a network for each face, and the runtime."""
    loaded = load_classifier(path, threads=1)
    runner, wanted = loaded.interpreter, loaded.card.input
    table = pixel_table(runner.input, wanted.mean, wanted.std)
    outputs = []
    for face in faces:
        fed = table.take(resized(face, wanted.height, wanted.width))[None, :, :, None]
        outputs.append(runner.invoke(fed.repeat(wanted.channels, axis=3))[0].tolist())
    return {"fast": delegated_share(runner.operations), "type": str(runner.output.dtype), "outputs": outputs}


def events(film: str, frames: int) -> list[Any]:
    """The events of a film's beginning, as `fer-edge video` would write them."""
    settings = Settings()
    told = EventFile()
    decider = EventDetector(settings.decide, settings.track.lost_s)
    pipeline = Pipeline(build_analyzer(settings).analyze, decider, told)
    last = 0.0
    for frame in islice(play(VideoFile(CameraSettings(source=film))), frames):
        pipeline.step(frame)
        last = frame.captured_at
    pipeline.close(last, "stopped")
    return [msgspec.to_builtins(line(event, number)) for number, event in enumerate(told.events, 1)]


def main(faces: str, film: str, frames: str) -> None:
    models = [path for path in sorted(Path(fer_edge.models.__path__[0]).glob("*.tflite")) if reads_expressions(path)]
    given = np.load(faces)
    found = {model.stem: network(model, given) for model in models}
    sys.stdout.write(json.dumps({"networks": found, "events": events(film, int(frames))}))


main(*sys.argv[1:])
