"""Face analyzer: detect, track, filter, crop, classify. Frame in, faces out."""

from importlib.resources import files
from math import isfinite
from pathlib import Path

import msgspec

from fer_edge.config.model import GateSettings, Settings
from fer_edge.files import user_path
from fer_edge.masks import PrivacyMask
from fer_edge.types import Box, Face, Frame, Image, RejectReason
from fer_edge.vision.classifier import Classifier, load_classifier
from fer_edge.vision.detector import Detector, make_detector
from fer_edge.vision.preprocess import face_pixels, face_region
from fer_edge.vision.quality import pixel_flaw, placement_flaw, quality_of, zone_flaw
from fer_edge.vision.tracker import Track, Tracker

SHIPPED = ("small", "nano")  # values of `classify.model` that are not paths


class FaceAnalyzer:
    """Models and tracks. Not thread-safe; the main thread owns it."""

    detector: Detector
    classifier: Classifier

    def __init__(  # noqa: PLR0913 - the parts, by name
        self,
        detector: Detector,
        tracker: Tracker,
        classifier: Classifier,
        gates: GateSettings,
        *,
        every: int = 1,
        zones: PrivacyMask | None = None,
        new_score: float = 0.0,
    ) -> None:
        """``every``: detect in every n-th frame; ``new_score``: lowest detection score that starts a track."""
        self.detector = detector
        self.classifier = classifier
        self._tracker = tracker
        self._gates = gates
        self._every = every
        self._zones = zones or PrivacyMask(())
        self._new_score = new_score
        self._until_detection = 0  # frames

    def analyze(self, frame: Frame) -> tuple[Face, ...]:
        """All faces detected in ``frame`` (or predicted in it), each with scores or the reason why it has none."""
        return tuple(self._score(track, frame.image) for track in self._tracks(frame))

    def reset(self) -> None:
        """Drop all tracks; the next frame is searched, and every face in it is new."""
        self._tracker.reset()
        self._until_detection = 0

    def reconfigure(self, gates: GateSettings) -> None:
        """Apply other quality gates from the next frame on."""
        self._gates = gates

    def _tracks(self, frame: Frame) -> tuple[Track, ...]:
        """Tracks in this frame: detected in every n-th frame, predicted by velocity in those between."""
        if self._until_detection > 0:
            self._until_detection -= 1
            return self._tracker.predict(frame.captured_at)
        self._until_detection = self._every - 1
        height, width = frame.image.shape[:2]
        detections = self.detector.detect(frame.image)
        high_score: list[Box] = []
        low_score: list[Box] = []
        for detection in detections:
            boxes = high_score if detection.score >= self._new_score else low_score
            boxes.append(detection.box.scaled(1 / width, 1 / height))
        return self._tracker.update(high_score, frame.captured_at, low_score)

    def _score(self, track: Track, image: Image) -> Face:
        height, width = image.shape[:2]
        box = track.box.scaled(width, height)
        scores = quality = None
        flaw = placement_flaw(box, width, height, self._gates) or zone_flaw(self._zones.overlap(track.box), self._gates)
        if flaw is None:
            size = self.classifier.card.input
            pixels = face_pixels(image, face_region(box, self.detector.crop), size.height, size.width)
            quality = quality_of(pixels)
            flaw = pixel_flaw(quality, self._gates)
            scores = self.classifier.scores(pixels) if flaw is None else None
            if scores is not None and not isfinite(scores.sum()):
                # A float network that divides by the contrast of a uniform face returns NaN, which averages would keep.
                scores, flaw = None, RejectReason.UNREADABLE
        return Face(track.id, track.box, track.first_seen, track.last_seen, scores, flaw, quality)


def build_analyzer(settings: Settings) -> FaceAnalyzer:
    """Build the analyzer from settings; ModelError, one line, if a model is missing, broken or not its card's."""
    detect = settings.detect
    return FaceAnalyzer(
        detector=make_detector(msgspec.structs.replace(detect, score=min(detect.score, settings.track.score))),
        tracker=Tracker(settings.track),
        classifier=load_classifier(model_path(settings.classify.model), settings.classify.threads),
        gates=settings.gates,
        every=detect.every,
        zones=PrivacyMask(settings.privacy.zones),
        new_score=detect.score,
    )


def model_path(model: str) -> Path:
    """Path of the network file `classify.model`: a bundled one, or the user's own."""
    if model in SHIPPED:
        return Path(str(files("fer_edge.models") / f"fer-{model}.tflite"))
    return user_path(model)
