"""OpenCV's log is off unless its variables enable it."""

import os
import subprocess
import sys

OPEN_WHAT_IS_NOT_THERE = """
import cv2
from fer_edge.capture.opencv import open_ffmpeg, open_v4l2
print(open_ffmpeg("rtsp://anna:geheim@127.0.0.1:9/live").isOpened(), open_v4l2("/dev/video987", 1).isOpened())
"""


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    command = [sys.executable, "-c", OPEN_WHAT_IS_NOT_THERE]
    return subprocess.run(command, env=clean | variables, capture_output=True, text=True, check=True, timeout=60)


def test_nothing_is_written_when_a_camera_is_away() -> None:
    done = run()
    assert (done.stdout, done.stderr) == ("False False\n", "")


def test_opencv_log_can_be_enabled_by_its_variables() -> None:
    assert "VIDEOIO" in run(OPENCV_LOG_LEVEL="WARNING").stderr
