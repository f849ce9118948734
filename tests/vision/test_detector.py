"""Haar and YuNet detectors on real frames, and their errors."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.config.model import DetectSettings
from fer_edge.errors import ModelError
from fer_edge.types import Image
from fer_edge.vision.detector import Detector, make_detector
from fer_edge.vision.geometry import iou
from fer_edge.vision.preprocess import reduced, reduced_size

YUNET = "models/detector/yunet_{}_320_320.onnx"


def frame_of(video: Path, number: int) -> Image:
    """One frame of a clip."""
    capture = cv2.VideoCapture(str(video))
    for _ in range(number + 1):
        ok, image = capture.read()
        assert ok
    capture.release()
    return image


def relu_onnx() -> bytes:
    """A valid ONNX network of one Relu, (1, 3, 96, 160) in and out, written field by field (onnx.proto)."""

    def part(number: int, content: bytes | str) -> bytes:
        content = content.encode() if isinstance(content, str) else content
        assert len(content) < 128
        return bytes([number << 3 | 2, len(content)]) + content

    def number(field: int, value: int) -> bytes:
        return bytes([field << 3]) + (bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7]))

    shape = b"".join(part(1, number(1, side)) for side in (1, 3, 96, 160))
    tensor = part(2, part(1, number(1, 1) + part(2, shape)))
    graph = (
        part(1, part(1, "x") + part(2, "y") + part(4, "Relu"))
        + part(2, "g")
        + part(11, part(1, "x") + tensor)
        + part(12, part(1, "y") + tensor)
    )
    return number(1, 7) + part(7, graph) + part(8, number(2, 13))


@pytest.fixture(params=["own", "haar", "n", "s"])
def detector(request: pytest.FixtureRequest, data: Path) -> Detector:
    """Each detector at its usual width."""
    if request.param == "own":
        return make_detector(DetectSettings())
    if request.param == "haar":
        if not hasattr(cv2, "CascadeClassifier"):
            pytest.skip(f"OpenCV {cv2.__version__} has no cascades")
        return make_detector(DetectSettings(backend="haar", width=320))
    return make_detector(DetectSettings(backend="yunet", model=str(data / YUNET.format(request.param)), width=160))


def test_the_face_of_a_webcam_clip_is_found_once_and_inside_the_frame(detector: Detector, data: Path):
    image = frame_of(data / "videos/single_face.mp4", 30)
    (face,) = detector.detect(image)
    assert 0.0 < face.score <= 1.0
    assert 0.15 < face.box.w / image.shape[1] < 0.5
    assert face.box.x > 0
    assert face.box.x + face.box.w < image.shape[1]


def test_boxes_are_in_pixels_of_the_frame_whatever_its_size(detector: Detector, data: Path):
    """The size changes between calls, as a camera's may."""
    image = frame_of(data / "videos/single_face.mp4", 30)
    (here,) = detector.detect(image)
    large = np.asarray(cv2.resize(image, None, fx=2, fy=2), np.uint8)
    (there,) = detector.detect(large)
    assert iou(there.box, here.box.scaled(2, 2)) > 0.7
    (again,) = detector.detect(image)
    assert again == here


def test_a_frame_without_a_face_gives_none(detector: Detector, data: Path):
    assert detector.detect(frame_of(data / "videos/bottle-detection.mp4", 20)) == ()
    assert detector.detect(np.zeros((480, 640, 3), np.uint8)) == ()


@pytest.mark.parametrize("shape", [(48, 64), (640, 100), (99, 1001), (1, 1)])
def test_a_frame_of_any_shape_is_accepted(detector: Detector, shape):
    detector.detect(np.zeros((*shape, 3), np.uint8))


def test_yunet_landmarks_have_eyes_above_the_mouth(data: Path):
    yunet = make_detector(DetectSettings(backend="yunet", model=str(data / YUNET.format("s")), width=160))
    (face,) = yunet.detect(frame_of(data / "videos/single_face.mp4", 30))
    assert face.landmarks is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert yunet.name == "yunet_s_320_320"


def test_yunets_score_is_the_users(data: Path):
    image = frame_of(data / "videos/single_face.mp4", 30)
    for score, faces in [(0.5, 1), (0.99, 0)]:
        settings = DetectSettings(backend="yunet", model=str(data / YUNET.format("s")), width=160, score=score)
        assert len(make_detector(settings).detect(image)) == faces


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" + bytes(1000)])
def test_a_broken_yunet_file_is_refused_in_one_line(content: bytes, tmp_path: Path, capfd):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        make_detector(DetectSettings(backend="yunet", model=str(path)))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_yunet_file_is_refused(kept: float, data: Path, tmp_path: Path, capfd):
    content = (data / YUNET.format("n")).read_bytes()
    (tmp_path / "half.onnx").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ModelError, match=r"half\.onnx"):
        make_detector(DetectSettings(backend="yunet", model=str(tmp_path / "half.onnx")))
    assert capfd.readouterr() == ("", "")


def test_a_working_network_that_is_no_yunet_is_refused_at_start_and_not_in_the_first_frame(tmp_path: Path, capfd):
    path = tmp_path / "relu.onnx"
    path.write_bytes(relu_onnx())
    with pytest.raises(ModelError, match="is not a YuNet"):
        make_detector(DetectSettings(backend="yunet", model=str(path)))
    assert capfd.readouterr() == ("", "")


def test_a_missing_yunet_file_is_reported_with_the_setting(tmp_path: Path):
    with pytest.raises(ModelError, match=r"detect\.model"):
        make_detector(DetectSettings(backend="yunet", model=str(tmp_path / "absent.onnx")))


def test_opencv_without_cascades_is_reported_with_an_alternative():
    code = """
import cv2
vars(cv2).pop("CascadeClassifier", None)  # as in OpenCV 5
from fer_edge.config.model import DetectSettings
from fer_edge.errors import ModelError
from fer_edge.vision.detector import make_detector
try:
    make_detector(DetectSettings(backend="haar"))
except ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "no Haar cascades" in done.stdout
    assert "detect.backend to own" in done.stdout


def test_a_frame_is_reduced_with_its_aspect_and_never_enlarged():
    assert reduced_size(640, 480, 160) == (160, 120)
    assert reduced_size(480, 640, 160) == (160, 213)
    assert reduced_size(100, 400, 160) == (100, 400)
    assert reduced_size(10_000, 3, 160) == (160, 1)
    image = np.zeros((120, 160, 3), np.uint8)
    assert reduced(image, (160, 120)) is image
    assert reduced(image, (80, 60)).shape == (60, 80, 3)
