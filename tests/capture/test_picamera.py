"""Pi camera with a fake picamera2 package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_edge.capture.picamera import PiCamera
from fer_edge.capture.sources import open_source
from fer_edge.capture.uri import Kind, kind_of
from fer_edge.config.loader import load_settings
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SettingsError, SourceError, UnusableSource

STAND_IN = """
import numpy as np
from concurrent.futures import Future

made = []

class Picamera2:
    fails = None   # what the constructor raises
    images = []    # what the camera gives before it goes silent

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None):
        if Picamera2.fails:
            raise Picamera2.fails
        made.append(self)
        self.camera_num = camera_num
        self.calls = []

    def create_video_configuration(self, main={}, lores=None, raw={}, transform=None, colour_space=None,
                                   buffer_count=6, controls={}, display="main", encode="main", queue=True):
        return {"main": main, "controls": controls}

    def configure(self, camera_config="preview"):
        self.calls.append(camera_config)

    def start(self, config=None, show_preview=False):
        self.calls.append("start")

    def capture_array(self, name="main", wait=None, signal_function=None):
        assert wait is False
        future = Future()
        if self.images:
            result = self.images.pop(0)
            future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)
        return future

    def wait(self, job, timeout=None):
        self.limit = timeout
        return job.result(timeout=0.01 if timeout else None)

    def close(self):
        self.calls.append("close")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch):
    """The fake package, importable as picamera2 during the test."""
    (tmp_path / "picamera2.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("picamera2", None)
    import picamera2  # noqa: PLC0415

    yield picamera2
    sys.modules.pop("picamera2", None)


SETTINGS = CameraSettings(source="picamera", width=640, height=480, rate_hz=15.0, stall_s=4.0)


def test_camera_is_asked_for_size_rate_and_the_byte_order_of_opencv(package, image) -> None:
    package.Picamera2.images = [image(3, 640, 480)]
    camera = open_source(SETTINGS)
    image = camera.read()
    assert image is not None
    assert image.shape == (480, 640, 3)
    main = {"size": (640, 480), "format": "RGB888"}
    assert package.made[0].calls == [{"main": main, "controls": {"FrameRate": 15.0}}, "start"]


@pytest.mark.parametrize(("source", "number"), [("picamera", 0), ("picamera:0", 0), (" picamera:1 ", 1)])
def test_number_behind_the_colon_is_the_camera_s_port(package, source: str, number: int) -> None:
    open_source(CameraSettings(source=source))
    assert [camera.camera_num for camera in package.made] == [number]


def test_error_names_the_camera_that_has_it(package) -> None:
    package.Picamera2.fails = IndexError("list index out of range")
    with pytest.raises(SourceError, match=r"^picamera:1: no camera"):
        PiCamera(CameraSettings(source="picamera:1"))


@pytest.mark.parametrize("source", ["picamera1", "picamera2", "picamera:", "picamera:left", "picamera-1", "PiCamera"])
def test_misspelt_pi_camera_is_refused_by_name(source: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match=f"^{source}: .* picamera:1"):
        open_source(CameraSettings(source=source))
    config = tmp_path / "config.yaml"
    config.write_text(f"camera: {{source: '{source}'}}\n")
    with pytest.raises(SettingsError, match=r"camera.source: .* picamera:1"):
        load_settings(config)


@pytest.mark.parametrize("source", ["picamera.mp4", "picamera-clips/a.mp4", "./picamera1"])
def test_files_that_begin_like_a_pi_camera_are_files(source: str) -> None:
    assert kind_of(source) is Kind.VIDEO


def test_camera_that_goes_silent_ends_the_read_before_it_counts_as_stalled(package, image) -> None:
    package.Picamera2.images = [image(3)]
    camera = PiCamera(SETTINGS)
    assert camera.read() is not None
    assert camera.read() is None
    assert package.made[0].limit == 3.0


def test_camera_that_fails_reports_what_to_do(package) -> None:
    package.Picamera2.images = [RuntimeError("device lost")]
    with pytest.raises(SourceError, match=r"check its cable \(device lost\)"):
        PiCamera(SETTINGS).read()


@pytest.mark.parametrize("error", [IndexError("list index out of range"), RuntimeError("Camera(s) not found")])
def test_missing_camera_may_come_back_so_it_is_no_final_error(package, error) -> None:
    package.Picamera2.fails = error
    with pytest.raises(SourceError, match="no camera, or in use") as caught:
        PiCamera(SETTINGS)
    assert not isinstance(caught.value, UnusableSource)


def test_close_gives_the_camera_back_once(package) -> None:
    camera = PiCamera(SETTINGS)
    camera.close()
    camera.close()
    assert package.made[0].calls.count("close") == 1


def test_missing_package_is_named_with_the_way_to_install_it() -> None:
    if "picamera2" in sys.modules:
        pytest.skip("picamera2 is installed here")
    with pytest.raises(UnusableSource, match="sudo apt install python3-picamera2"):
        PiCamera(SETTINGS)


NUMPY_1 = (
    "numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject"
)
FAILURES = [
    (f"ValueError('{NUMPY_1}')", "pip install 'numpy<2' 'opencv-python-headless<4.12'"),
    ("ImportError('numpy.core.multiarray failed to import')", "pip install 'numpy<2' 'opencv-python-headless<4.12'"),
    ("ImportError('libcamera.so.0.2: cannot open shared object file')", "apt install --reinstall python3-picamera2"),
    ("OSError('libcamera: no permission')", "apt install --reinstall python3-picamera2"),
    ("SystemError('initialization of _libcamera\\nfailed')", "apt install --reinstall python3-picamera2"),
    ("ModuleNotFoundError('no module prctl', name='prctl')", "apt install --reinstall python3-picamera2"),
]


@pytest.mark.parametrize(("raised", "cure"), FAILURES)
def test_whatever_its_import_raises_is_one_line_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str, cure: str
) -> None:
    if np.__version__.startswith("1.") and "numpy" in cure:
        pytest.skip("NumPy 1 is what is asked for")
    (tmp_path / "picamera2.py").write_text(f"raise {raised}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnusableSource) as caught:
        PiCamera(SETTINGS)
    assert cure in str(caught.value)
    assert "\n" not in str(caught.value)


def test_package_is_imported_only_when_asked_for(package) -> None:
    program = "import fer_edge.capture.sources, sys; print('picamera2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
