"""A frame to its faces: detect, track, gate, crop, classify. The one place where pixels become scores."""

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

SHIPPED = ("small", "nano")  # what `classify.model` may name without a path


class FaceAnalyzer:
    """The models and the tracks. Not thread-safe; the main thread owns it."""

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
        """``every``: faces are looked for in one frame of so many; ``new_score``: what is less sure begins no face."""
        self.detector = detector
        self.classifier = classifier
        self._tracker = tracker
        self._gates = gates
        self._every = every
        self._zones = zones or PrivacyMask(())
        self._new_score = new_score
        self._until_detection = 0  # frames

    def see(self, frame: Frame) -> tuple[Face, ...]:
        """Every face in ``frame``, scored or with the reason why not; one that is out of sight just now is left out."""
        return tuple(self._read(track, frame.image) for track in self._tracks(frame))

    def forget(self) -> None:
        """Nobody looked for a while: the next frame is searched, and whoever is in it is somebody new."""
        self._tracker.forget()
        self._until_detection = 0

    def reconfigure(self, gates: GateSettings) -> None:
        """Other gates from the next frame on."""
        self._gates = gates

    def _tracks(self, frame: Frame) -> tuple[Track, ...]:
        """Where the faces are: looked for in every n-th frame, carried on by their velocity in those between."""
        if self._until_detection > 0:
            self._until_detection -= 1
            return self._tracker.predict(frame.captured_at)
        self._until_detection = self._every - 1
        height, width = frame.image.shape[:2]
        found = self.detector.detect(frame.image)
        sure: list[Box] = []
        low_score: list[Box] = []
        for face in found:
            (sure if face.score >= self._new_score else low_score).append(face.box.scaled(1 / width, 1 / height))
        return self._tracker.update(sure, frame.captured_at, low_score)

    def _read(self, track: Track, image: Image) -> Face:
        height, width = image.shape[:2]
        box = track.box.scaled(width, height)
        scores = quality = None
        flaw = placement_flaw(box, width, height, self._gates) or zone_flaw(self._zones.share(track.box), self._gates)
        if flaw is None:
            size = self.classifier.card.input
            pixels = face_pixels(image, face_region(box, self.detector.crop), size.height, size.width)
            quality = quality_of(pixels)
            flaw = pixel_flaw(quality, self._gates)
            scores = self.classifier.scores(pixels) if flaw is None else None
            if scores is not None and not isfinite(scores.sum()):
                # A float network that divides by a face's own contrast says so of an even one; averaged, it would stay.
                scores, flaw = None, RejectReason.UNREADABLE
        return Face(track.id, track.box, track.first_seen, track.last_seen, scores, flaw, quality)


def build_analyzer(settings: Settings) -> FaceAnalyzer:
    """The vision that the settings describe; ModelError, one line, where a model is missing, broken or another's."""
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


def model_path(named: str) -> Path:
    """The network file that `classify.model` names: one that ships, or the user's own."""
    if named in SHIPPED:
        return Path(str(files("fer_edge.models") / f"fer-{named}.tflite"))
    return user_path(named)
