"""Network cameras: an RTSP server in a process and an MJPEG server in a thread, both made to fail."""

import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from fer_edge.capture.camera import Camera, LatestFrame
from fer_edge.capture.probe import probe
from fer_edge.capture.sources import open_source
from fer_edge.capture.supervisor import CameraPhase, CameraState
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource

pytestmark = pytest.mark.system

PYTHON = "/usr/bin/python3"  # Debian's own: the GObject bindings are not on PyPI as wheels
SERVER = Path(__file__).resolve().parents[1] / "servers" / "rtsp_server.py"
IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; "
NEEDS = IMPORTS + "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('x264enc', 'h264parse', 'rtph264pay')))"
PATIENCE_S = 60.0  # only a test that fails waits for as long
# `stall_s` is 4 s, and FFmpeg, left to itself, waits for 30 s: time enough for a busy machine, too little for that.
NOTICED_S = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe_socket:
        return probe_socket.getsockname()[1]


class RtspServer:
    """RTSP camera that can be killed, stopped and started on one port."""

    def __init__(self, *credentials: str) -> None:
        self.port = free_port()
        self._credentials = credentials
        self.start()

    def url(self, user_info: str = "", path: str = "live") -> str:
        return f"rtsp://{user_info}127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        command = [PYTHON, str(SERVER), str(self.port), *self._credentials]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def rtsp() -> Iterator[Callable[..., RtspServer]]:
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode:
        word = "no RTSP: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,bad,ugly}"
        if os.environ.get("CI") == "true":
            pytest.fail(word)
        pytest.skip(word)
    servers: list[RtspServer] = []

    def make(*credentials: str) -> RtspServer:
        servers.append(RtspServer(*credentials))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()


class MjpegServer:
    """An HTTP camera that sends numbered frames as multipart JPEG at 20 a second."""

    def __init__(self, image) -> None:
        self.port = free_port()
        self.frozen = threading.Event()
        self.small = threading.Event()
        self.connections = 0
        self.hung = 0  # connections up to this one stay open and send nothing
        self._number = 0
        self._jpeg = lambda number, size: cv2.imencode(".jpg", image(number % 16, *size))[1].tobytes()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def start(self) -> None:
        outer, self._stop = self, threading.Event()
        stop = self._stop

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                outer.connections += 1
                own = outer.connections
                while not stop.wait(0.05):
                    if own <= outer.hung:
                        continue
                    outer._number += not outer.frozen.is_set()
                    part = outer._jpeg(outer._number, (80, 60) if outer.small.is_set() else (160, 120))
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + part + b"\r\n")
                    except OSError:
                        return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def kill(self) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def mjpeg(image) -> Iterator[MjpegServer]:
    server = MjpegServer(image)
    yield server
    server.kill()


@pytest.fixture
def watched() -> Iterator[Callable[..., tuple[Camera, LatestFrame]]]:
    cameras: list[Camera] = []

    def watch(url: str, **settings: float) -> tuple[Camera, LatestFrame]:
        latest_frame = LatestFrame()
        cameras.append(Camera(CameraSettings(source=url, reopen_max_s=1.0, **settings), latest_frame))
        cameras[-1].start()
        return cameras[-1], latest_frame

    yield watch
    for camera in cameras:
        camera.stop()
        camera.check()


def wait_for(camera: Camera, *phases: CameraPhase) -> CameraState:
    """The state as soon as its phase is one of those."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        camera.check()
        state = camera.state(time.monotonic())
        if state.phase in phases:
            return state
        time.sleep(0.02)
    raise AssertionError(f"never {phases}, but {camera.state(time.monotonic())}")


def new_frame(latest_frame: LatestFrame):
    """A frame that came after what is in the slot now."""
    latest_frame.take(0.0)
    frame = latest_frame.take(PATIENCE_S)
    assert frame is not None
    return frame


def test_rtsp_camera_that_is_killed_is_noticed_in_time_and_found_again(rtsp, watched) -> None:
    server = rtsp()
    camera, latest_frame = watched(server.url())
    wait_for(camera, CameraPhase.RUNNING)
    assert new_frame(latest_frame).image.shape == (240, 320, 3)
    server.kill()
    killed_at = time.monotonic()
    wait_for(camera, CameraPhase.LOST, CameraPhase.SILENT)
    assert time.monotonic() - killed_at < NOTICED_S
    deadline = time.monotonic() + PATIENCE_S
    while "refused" not in (reason := camera.state(time.monotonic()).reason) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "refused: nothing listens on port" in reason
    server.start()
    assert wait_for(camera, CameraPhase.RUNNING).reopened >= 1
    new_frame(latest_frame)


def test_rtsp_camera_that_falls_silent_is_noticed_in_time_and_found_again(rtsp, watched) -> None:
    server = rtsp()
    camera, latest_frame = watched(server.url())
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)
    server.send(signal.SIGSTOP)  # the connection stays, nothing comes
    silent_at = time.monotonic()
    wait_for(camera, CameraPhase.SILENT)
    assert time.monotonic() - silent_at < NOTICED_S
    server.send(signal.SIGCONT)
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)


def test_stop_does_not_wait_for_a_silent_camera(rtsp, watched) -> None:
    server = rtsp()
    camera, latest_frame = watched(server.url(), stall_s=60.0)
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)
    server.send(signal.SIGSTOP)
    while latest_frame.take(2.0):  # what was on its way still comes
        pass
    assert not camera.stop()  # the read hangs for up to 54 s, and was left behind, not waited for
    server.send(signal.SIGCONT)


def test_rtsp_camera_with_a_password_opens_with_the_right_one_only(rtsp) -> None:
    server = rtsp("anna", "geheim")
    assert probe(CameraSettings(source=server.url("anna:geheim@"))).startswith("320x240 at 1")
    with pytest.raises(SourceError, match="user or password refused") as caught:
        open_source(CameraSettings(source=server.url("anna:falsch@")))
    assert "falsch" not in str(caught.value)
    with pytest.raises(SourceError, match="needs a user and password"):
        open_source(CameraSettings(source=server.url()))


def test_wrong_path_of_an_rtsp_camera_is_reported(rtsp) -> None:
    with pytest.raises(SourceError, match="no such stream: check the path"):
        open_source(CameraSettings(source=rtsp().url(path="other")))


def test_mjpeg_camera_is_read_and_its_rate_measured(mjpeg) -> None:
    line = probe(CameraSettings(source=mjpeg.url))
    assert line.startswith("160x120 at ")
    assert line.endswith(f" fps from {mjpeg.url} (MJPG)")
    assert 5.0 < float(line.split()[2]) <= 21.0  # FFmpeg would say 25 of any


def test_mjpeg_camera_that_stops_is_detected_in_time_and_reopened(mjpeg, watched) -> None:
    camera, latest_frame = watched(mjpeg.url)
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)
    mjpeg.kill()
    killed_at = time.monotonic()
    wait_for(camera, CameraPhase.LOST, CameraPhase.SILENT)
    assert time.monotonic() - killed_at < NOTICED_S
    mjpeg.start()
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)


def test_connection_that_hangs_for_good_is_given_up_and_made_anew(mjpeg, watched) -> None:
    camera, latest_frame = watched(mjpeg.url)
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)
    mjpeg.hung = mjpeg.connections
    hung_at = time.monotonic()
    wait_for(camera, CameraPhase.SILENT)
    wait_for(camera, CameraPhase.RUNNING)
    assert time.monotonic() - hung_at < NOTICED_S
    new_frame(latest_frame)


def test_mjpeg_camera_that_freezes_is_detected_in_time_and_recovers(mjpeg, watched) -> None:
    camera, latest_frame = watched(mjpeg.url)
    wait_for(camera, CameraPhase.RUNNING)
    mjpeg.frozen.set()
    frozen_at = time.monotonic()
    wait_for(camera, CameraPhase.FROZEN)
    assert time.monotonic() - frozen_at < NOTICED_S
    latest_frame.take(0.0)
    assert latest_frame.take(0.5) is None
    mjpeg.frozen.clear()
    wait_for(camera, CameraPhase.RUNNING)
    new_frame(latest_frame)


def test_mjpeg_camera_may_change_its_size_while_it_runs(mjpeg, watched, number_of) -> None:
    camera, latest_frame = watched(mjpeg.url)
    wait_for(camera, CameraPhase.RUNNING)
    assert new_frame(latest_frame).image.shape == (120, 160, 3)
    mjpeg.small.set()
    shapes = {new_frame(latest_frame).image.shape for _ in range(30)}
    assert shapes <= {(120, 160, 3), (60, 80, 3)}
    assert camera.state(time.monotonic()).phase is CameraPhase.RUNNING


def test_rtsp_camera_over_udp_only_is_read_and_a_tcp_setting_is_reported(rtsp) -> None:
    url = rtsp().url(path="udp")
    for transport in ("auto", "udp"):
        assert probe(CameraSettings(source=url, transport=transport)).startswith("320x240 at 1")
    with pytest.raises(SourceError, match=r"\(tried TCP; camera.transport: auto tries UDP too\)"):
        open_source(CameraSettings(source=url, transport="tcp"))


def test_rtsp_login_from_the_settings_may_hold_any_character(rtsp, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p#s/s @ %41:x\n")
    secret.chmod(0o600)
    server = rtsp("an:na".replace(":", "@"), "p#s/s @ %41:x")
    settings = CameraSettings(source=server.url(), username="an@na", password_file=str(secret))
    assert probe(settings).startswith("320x240 at 1")


def test_recording_behind_an_http_address_is_refused(film, monkeypatch) -> None:
    monkeypatch.chdir(film.parent)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        with pytest.raises(UnusableSource, match="a recording, not a camera"):
            open_source(CameraSettings(source=f"http://127.0.0.1:{server.server_port}/film.avi"))
        server.shutdown()
