"""A saved video through the whole pipeline: outputs, and faults of files."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.capture.sources import open_source, play
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings, Settings
from fer_edge.errors import UserError
from fer_edge.events.lifecycle import EventDetector
from fer_edge.recording.format import read_recording
from fer_edge.video.analyze import analyze
from fer_edge.video.jobs import Output, plan
from fer_edge.video.parallel import analyze_all
from fer_edge.video.statistics import Report
from fer_edge.vision.analyzer import build_analyzer
from tests.films import write_film, write_sound
from tests.video.conftest import flat_film

SETTINGS = Settings()


def analysed(source: Path, folder: Path, *kinds: Output) -> Report:
    (job,) = plan([source], folder, kinds)
    return analyze(job, SETTINGS, lambda done, stated: None, threads=1)


def times_of(path: Path) -> list[float]:
    video = VideoFile(CameraSettings(source=str(path)))
    times = []
    while video.read() is not None:
        times.append(video.position_s)
    return times


def test_every_frame_is_analysed_and_reported_and_all_outputs_agree(smile: Path, tmp_path: Path) -> None:
    (job,) = plan([smile], tmp_path, list(Output))
    reported: list[tuple[int, int | None]] = []
    report = analyze(job, SETTINGS, lambda done, stated: reported.append((done, stated)), threads=1)
    assert reported == [(number, 40) for number in range(1, 41)]
    assert (report.frames, report.failure) == (40, None)
    assert report.faces == 2  # both actors are in this part of the scene
    assert {path.name for path in tmp_path.iterdir()} == {f"smile.{end}" for end in
        ("annotated.mp4", "events.jsonl", "scores.csv", "timeline.png")}  # fmt: skip
    events = [json.loads(line) for line in (tmp_path / "smile.events.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert sum(report.events.values()) == len(events)
    assert {event["event_type"] for event in events} >= {"face_appeared", "face_gone"}
    recording = read_recording(tmp_path / "smile.scores.csv")
    assert [step.number for step in recording.parts[0].steps] == [*range(40), None]  # the last is the close
    assert sum(report.outcomes.values()) == sum(len(step.faces) for step in recording.parts[0].steps)
    picture = cv2.imread(str(tmp_path / "smile.timeline.png"))
    assert picture is not None
    assert picture.shape[1] > 1000


def test_events_are_those_of_analyzer_and_detector_called_directly(smile: Path, tmp_path: Path) -> None:
    """An oracle without the pipeline: analyzer and event detector, called one after the other."""
    vision, detector = build_analyzer(SETTINGS), EventDetector(SETTINGS.decide, SETTINGS.track.lost_s)
    expected = []
    for frame in play(open_source(CameraSettings(source=str(smile)))):
        expected += detector.update(vision.analyze(frame), frame.captured_at).events
    expected += detector.close(frame.captured_at, "stopped")
    analysed(smile, tmp_path, Output.EVENTS)
    events = [json.loads(line) for line in (tmp_path / "smile.events.jsonl").read_text().splitlines()]
    assert [(e["event_type"], e["face"], e["emotion"], e["at_s"]) for e in events] == [
        (e.kind.value, e.face, e.emotion, pytest.approx(e.at, abs=0.0005)) for e in expected
    ]


def test_annotated_video_has_every_frame_at_its_time_with_the_box_drawn(smile: Path, tmp_path: Path) -> None:
    analysed(smile, tmp_path, Output.VIDEO)
    annotated = tmp_path / "smile.annotated.mp4"
    assert times_of(annotated) == pytest.approx(times_of(smile), abs=0.001)
    before = VideoFile(CameraSettings(source=str(smile))).read()
    after = VideoFile(CameraSettings(source=str(annotated))).read()
    assert before is not None
    assert after is not None
    assert np.abs(before.astype(int) - after).max() > 60
    head = annotated.read_bytes()
    assert b"avc1" in head  # H.264
    assert head.index(b"moov") < head.index(b"mdat")  # a browser can start before the end of the download


def test_uneven_frame_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.13, 0.8, 0.85]
    film = write_film(tmp_path / "uneven.mp4", [np.full((64, 96, 3), 40 * n, np.uint8) for n in range(5)], times)
    analysed(film, tmp_path / "out", Output.VIDEO, Output.SCORES)
    assert times_of(tmp_path / "out" / "uneven.annotated.mp4") == pytest.approx(times, abs=0.001)
    recording = read_recording(tmp_path / "out" / "uneven.scores.csv")
    assert [step.now for step in recording.parts[0].steps[:5]] == pytest.approx(times, abs=0.001)


def test_odd_sizes_are_padded_for_browsers(tmp_path: Path) -> None:
    pictures = [np.full((65, 97, 3), 90, np.uint8)] * 3
    path = write_film(tmp_path / "odd.mkv", pictures, [0.0, 0.1, 0.2], codec="ffv1", pixels="bgr0")
    analysed(path, tmp_path / "out", Output.VIDEO)
    picture = VideoFile(CameraSettings(source=str(tmp_path / "out" / "odd.annotated.mp4"))).read()
    assert picture is not None
    assert picture.shape == (66, 98, 3)


# Matroska states no number of frames: OpenCV computes one, here from the highest rate and the whole length.
UNEVEN_S = [number / 30 for number in range(30)] + [1.0 + number / 3 for number in range(12)]


def test_uneven_rate_in_a_container_without_a_count_is_no_damage(tmp_path: Path) -> None:
    pictures = [np.full((64, 96, 3), 5 * number, np.uint8) for number in range(len(UNEVEN_S))]
    film = write_film(tmp_path / "uneven.mkv", pictures, UNEVEN_S)
    stated = VideoFile(CameraSettings(source=str(film))).stated_frames
    assert stated is not None
    assert stated > 2 * len(pictures)  # else this tests nothing
    report = analysed(film, tmp_path / "out", Output.SCORES)
    assert (report.frames, report.failure) == (len(pictures), None)
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) * 3 // 4] + b"garbage" * 200)
    cut = analysed(film, tmp_path / "out", Output.SCORES)
    assert cut.frames < len(pictures)
    assert cut.failure is not None
    assert f"only {cut.frames} of {stated} frames" in cut.failure


@pytest.mark.parametrize(
    ("cut", "end"),
    [
        (0.5, b""),
        (0.8, b"garbage" * 500),
        pytest.param(0.5, b"garbage" * 500, marks=pytest.mark.slow),
        pytest.param(0.8, b"", marks=pytest.mark.slow),
    ],
)
def test_damaged_video_keeps_its_readable_part_and_reports_a_failure(smile, tmp_path, cut, end) -> None:
    whole = smile.read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: round(cut * len(whole))] + end)
    report = analysed(broken, tmp_path / "out", *Output)
    assert report.failure is not None
    assert "of 40 frames can be read, the file is damaged after" in report.failure
    assert "\n" not in report.failure
    assert 0 < report.frames < 40
    assert len(times_of(tmp_path / "out" / "broken.annotated.mp4")) == report.frames


def test_files_without_frames_are_refused_in_one_line_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film\n" * 50)
    write_sound(tmp_path / "sound.m4a")
    for name in ("empty.mp4", "text.mp4", "sound.m4a", "none.mp4"):
        with pytest.raises(UserError, match=name) as caught:
            analysed(tmp_path / name, tmp_path / "out", *Output)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_unwritable_output_is_named_and_no_other_is_left_unfinished(smile: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        analysed(smile, tmp_path / "file" / "folder", Output.EVENTS)
    (tmp_path / "smile.timeline.png").mkdir()  # a folder is at the path of one output
    with pytest.raises(UserError, match="cannot be written"):
        analysed(smile, tmp_path, Output.EVENTS, Output.TIMELINE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".part")]


def test_frame_wider_than_h264_allows_is_an_error_that_names_the_output(tmp_path: Path) -> None:
    for width in (16384, 16400):
        pictures = [np.full((64, width, 3), 90, np.uint8)]
        write_film(tmp_path / f"{width}.mkv", pictures, [0.0], codec="ffv1", pixels="bgr0")
    assert analysed(tmp_path / "16384.mkv", tmp_path / "out", Output.VIDEO).failure is None
    with pytest.raises(UserError, match=r"16400\.annotated\.mp4: cannot be written: libx264: .*16400x64") as caught:
        analysed(tmp_path / "16400.mkv", tmp_path / "out", Output.VIDEO)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["16384.annotated.mp4"]


def test_name_too_long_for_an_output_is_an_error_that_names_the_output(tmp_path: Path) -> None:
    film = flat_film(tmp_path / f"{'x' * 245}.mp4")  # a name has at most 255 bytes
    for kind in Output:
        with pytest.raises(UserError, match=r"/x+\.\w+\.\w+: cannot be written: file name too long"):
            analysed(film, tmp_path / "out", kind)
    assert not list((tmp_path / "out").iterdir())


def test_video_with_identical_frames_fails_instead_of_having_no_face(tmp_path: Path, monkeypatch) -> None:
    """A decoder gave the same image for every frame, and there is no other decoder."""
    film = write_film(tmp_path / "film.mp4", [np.zeros((96, 128, 3), np.uint8)] * 12, [n / 10 for n in range(12)])
    monkeypatch.setitem(sys.modules, "av", None)
    (report,) = analyze_all(plan([film], tmp_path / "out", [Output.EVENTS]), Settings(), 1, lambda *what: None)
    assert report.failure is not None
    assert "all frames are identical" in report.failure
    assert "pip install 'fer-edge[video]'" in report.failure
