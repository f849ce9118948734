"""Face analyzer, with scripted detectors and with real models."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.config.model import ClassifySettings, DetectSettings, GateSettings, Settings, TrackSettings
from fer_edge.errors import ModelError
from fer_edge.masks import PrivacyMask
from fer_edge.types import Box, Detection, Frame, RejectReason
from fer_edge.vision.analyzer import SHIPPED, FaceAnalyzer, build_analyzer, model_path
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.preprocess import Crop
from fer_edge.vision.tracker import Tracker

NOISE = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)


class Scripted:
    """Detector that returns scripted faces per frame and counts its calls."""

    name = "scripted"
    crop = Crop(1.0, 0.0)

    def __init__(self, *frames: tuple[Box, ...]) -> None:
        self.frames = list(frames)
        self.asked = 0

    def detect(self, image: np.ndarray) -> tuple[Detection, ...]:
        self.asked += 1
        boxes = self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]
        return tuple(Detection(box, 0.9) for box in boxes)


def watching(
    model: Path, detector: Scripted, every: int = 1, zones: PrivacyMask | None = None, **gates
) -> FaceAnalyzer:
    """Analyzer with that detector and a real network."""
    classifier = load_classifier(model)
    return FaceAnalyzer(detector, Tracker(TrackSettings()), classifier, GateSettings(**gates), every=every, zones=zones)


def test_a_face_is_scored_and_lies_in_fractions_of_the_frame(int8_model: Path):
    vision = watching(int8_model, Scripted((Box(160, 120, 64, 96),)))
    (face,) = vision.analyze(Frame(NOISE, 5.0, 0))
    assert face.box == pytest.approx((0.25, 0.25, 0.1, 0.2))
    assert (face.id, face.first_seen, face.last_seen, face.unscored) == (1, 5.0, 5.0, None)
    assert face.scores is not None
    assert face.scores.shape == (7,)
    assert face.scores.sum() == pytest.approx(1.0)


def test_less_sure_box_continues_a_face_and_begins_none(int8_model: Path):
    class Fading(Scripted):
        """High scores of the left face for a second, lower ones afterwards, and only low scores of the right one."""

        def detect(self, image: np.ndarray) -> tuple[Detection, ...]:
            self.asked += 1
            sure = self.asked <= 11
            return (Detection(Box(100, 100, 80, 80), 0.9 if sure else 0.6), Detection(Box(400, 100, 80, 80), 0.6))

    vision = FaceAnalyzer(
        Fading(()), Tracker(TrackSettings()), load_classifier(int8_model), GateSettings(), new_score=0.7
    )
    for step in range(30):
        (face,) = vision.analyze(Frame(NOISE, step / 10, step))
        assert (face.id, face.last_seen) == (1, step / 10)
        assert face.box.x == pytest.approx(100 / 640)


def test_each_face_gets_the_scores_of_its_own_pixels(int8_model: Path):
    image = NOISE.copy()
    image[:, :320] = (np.indices((480, 320)).sum(axis=0) // 4 % 2 * 255)[..., None]
    left, right = Box(100, 100, 80, 80), Box(400, 100, 80, 80)
    both = watching(int8_model, Scripted((left, right))).analyze(Frame(image, 0.0, 0))
    alone = watching(int8_model, Scripted((right,))).analyze(Frame(image, 0.0, 0))
    assert np.array_equal(both[1].scores, alone[0].scores)
    assert not np.array_equal(both[0].scores, both[1].scores)


@pytest.mark.parametrize(
    ("image", "box", "reason"),
    [
        (NOISE, Box(100, 100, 20, 26), RejectReason.TOO_SMALL),
        (NOISE, Box(600, 100, 100, 100), RejectReason.OUTSIDE),
        (NOISE // 16, Box(100, 100, 100, 100), RejectReason.DARK),
        (np.full_like(NOISE, 128), Box(100, 100, 100, 100), RejectReason.BLURRED),
    ],
)
def test_a_face_that_cannot_be_read_is_given_with_the_reason_and_without_scores(image, box, reason, int8_model):
    (face,) = watching(int8_model, Scripted((box,))).analyze(Frame(image, 0.0, 0))
    assert (face.scores, face.unscored) == (None, reason)


def test_a_face_of_which_a_zone_leaves_too_little_is_masked_and_one_of_which_it_leaves_enough_is_read(int8_model):
    zones = PrivacyMask([((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))])  # left of 320 px
    for left, masked in ((280, True), (300, False), (400, False)):  # of 100 px, 40, 20 and none are in the zone
        scripted = Scripted((Box(left, 100, 100, 100),))
        (face,) = watching(int8_model, scripted, zones=zones, min_inside=0.7).analyze(Frame(NOISE, 0.0, 0))
        assert (face.unscored is RejectReason.MASKED, face.scores is None) == (masked, masked)


def test_a_face_out_of_sight_is_left_out_and_comes_back_as_the_same(int8_model: Path):
    box = Box(160, 120, 64, 96)
    vision = watching(int8_model, Scripted((box,), (box,), (), (box,)))
    story = [vision.analyze(Frame(NOISE, k * 0.2, k)) for k in range(4)]
    assert [[face.id for face in faces] for faces in story] == [[1], [1], [], [1]]
    assert story[3][0].first_seen == 0.0


def test_with_every_three_the_detector_is_asked_in_each_third_frame_and_the_face_is_scored_in_all(int8_model: Path):
    detector = Scripted((Box(160, 120, 64, 96),))
    vision = watching(int8_model, detector, every=3)
    story = [vision.analyze(Frame(NOISE, k * 0.1, k)) for k in range(7)]
    assert detector.asked == 3
    assert [faces[0].last_seen for faces in story] == pytest.approx([0, 0, 0, 0.3, 0.3, 0.3, 0.6])
    assert all(faces[0].scores is not None for faces in story)


def test_a_camera_that_changes_its_size_keeps_its_faces(int8_model: Path):
    small = np.ascontiguousarray(NOISE[::2, ::2])
    vision = watching(int8_model, Scripted((Box(160, 120, 64, 96),), (Box(80, 60, 32, 48),)))
    first = vision.analyze(Frame(NOISE, 0.0, 0))
    second = vision.analyze(Frame(small, 0.1, 1))
    assert first[0].id == second[0].id == 1
    assert second[0].box == pytest.approx(first[0].box)


def test_scores_of_an_earlier_frame_stay_what_they_were(int8_model: Path):
    vision = watching(int8_model, Scripted((Box(160, 120, 64, 96),)))
    (first,) = vision.analyze(Frame(NOISE, 0.0, 0))
    kept = first.scores.copy()
    vision.analyze(Frame(np.ascontiguousarray(NOISE[::-1]), 0.1, 1))
    assert np.array_equal(first.scores, kept)


def test_a_smile_in_a_webcam_clip_is_detected(data: Path, int8_model: Path):
    """single_face.mp4 goes from a neutral face to a smile; one person, from the first frame to the last."""
    yunet = str(data / "models/detector/yunet_s_320_320.onnx")
    vision = build_analyzer(
        Settings(
            detect=DetectSettings(backend="yunet", model=yunet, width=160),
            classify=ClassifySettings(model=str(int8_model)),
        )
    )
    capture = cv2.VideoCapture(str(data / "videos/single_face.mp4"))
    happy = []
    number = 0
    while True:
        ok, image = capture.read()
        if not ok:
            break
        (face,) = vision.analyze(Frame(image, number / 30, number))
        assert (face.id, face.unscored) == (1, None)
        happy.append(float(face.scores[3]))
        number += 1
    assert np.mean(happy[:12]) < 0.2
    assert np.mean(happy[-36:]) > 0.8


def test_a_missing_network_is_reported_with_the_setting(tmp_path: Path):
    with pytest.raises(ModelError, match=r"classify\.model"):
        load_classifier(tmp_path / "absent.tflite")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_network_that_ships_is_named_without_a_path(name: str):
    assert load_classifier(model_path(name)).card.name == f"fer-{name}"


def test_any_other_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_path("~/mine.tflite") == tmp_path / "mine.tflite"


def test_detector_is_asked_for_faces_that_are_only_found_again_and_none_of_them_begins():
    vision = build_analyzer(Settings(detect=DetectSettings(score=0.9), track=TrackSettings(score=0.02)))
    assert len(vision.detector.detect(NOISE)) > 0  # noise has something at so low a score
    assert vision.analyze(Frame(NOISE, 0.0, 0)) == ()


def test_reset_detects_at_once_and_assigns_new_ids(int8_model: Path):
    detector = Scripted((Box(160, 120, 64, 96),))
    vision = watching(int8_model, detector, every=10)
    assert [face.id for face in vision.analyze(Frame(NOISE, 0.0, 0))] == [1]
    vision.reset()
    assert [face.id for face in vision.analyze(Frame(NOISE, 0.1, 1))] == [2]
    assert detector.asked == 2


def test_answer_that_is_no_numbers_leaves_the_face_unscored(int8_model: Path):
    class Flawed:
        """A network that divides by zero at its second face."""

        def __init__(self) -> None:
            self.card = load_classifier(int8_model).card
            self.answers = [np.full(7, 1 / 7, np.float32), np.full(7, np.nan, np.float32)]

        def scores(self, face: np.ndarray) -> np.ndarray:
            return self.answers.pop(0)

    vision = FaceAnalyzer(Scripted((Box(160, 120, 64, 96),)), Tracker(TrackSettings()), Flawed(), GateSettings())  # type: ignore[arg-type]
    (fine,), (flawed,) = (vision.analyze(Frame(NOISE, now, number)) for number, now in enumerate((0.0, 0.1)))
    assert (fine.unscored, flawed.unscored, flawed.scores) == (None, RejectReason.UNREADABLE, None)
