"""Recording of the daemon's scores: exactly what a replay needs."""

import gzip
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fer_edge.config.model import DecideSettings, RecordSettings, Settings
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError
from fer_edge.events.lifecycle import EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.recording.format import Origin
from fer_edge.recording.recorder import Recorder, open_recorder
from fer_edge.recording.rotation import read_tables
from fer_edge.tuning.replay import replay
from fer_edge.types import Box, Event, Face, Frame

BLACK = np.zeros((8, 8, 3), np.uint8)
DECIDE = DecideSettings(smooth_s=0.2, dwell_s=0.2, arrive_s=0.2)
STRICT = DecideSettings(smooth_s=0.2, dwell_s=0.2, arrive_s=0.2, enter=0.95, leave=0.9)
ORIGIN = Origin(decide=DECIDE, lost_s=1.0, model="ab", source="camera", run="20261121-ab", began_wall=1e9)
TIMEOUT_S = 60.0  # reached by a failing test only


class EventList:
    """Publisher that keeps its events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def seen(self, states, now) -> None: ...

    def nobody(self, now: float) -> None: ...


class Daemon:
    """Pipeline at 10 fps with a recorder, and one face with a given expression."""

    def __init__(self, folder: Path, settings: RecordSettings, origin: Origin = ORIGIN) -> None:
        self.publisher = EventList()
        self.recorder = Recorder(settings, folder, origin, now=0.0)
        self.detector = EventDetector(DECIDE, 1.0)
        self._emotion: str | None = None
        self.pipeline = Pipeline(self._see, self.detector, self.publisher, [self.recorder])
        self.number = 0

    def show(self, seconds: float, emotion: str | None) -> "Daemon":
        self._emotion = emotion
        for _ in range(round(seconds * 10)):
            self.pipeline.step(Frame(BLACK, self.number / 10, self.number))
            self.number += 1
        return self

    def end(self) -> None:
        self.pipeline.close(self.number / 10, "stopped")
        self.recorder.stop(20.0)

    def _see(self, frame: Frame) -> tuple[Face, ...]:
        if self._emotion is None:
            return ()
        scores = np.full(7, 0.02, np.float32)
        scores[EMOTIONS.index(self._emotion)] = 0.88
        return (Face(1 + self.number // 1000, Box(0.1, 0.2, 0.3, 0.4), 0.0, frame.captured_at, scores),)


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for the writing thread; fail after TIMEOUT_S."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, "the writing thread did not do it"
        time.sleep(0.001)


def facts(events: list[Event]) -> list[list[object]]:
    return [[list(v) if isinstance(v, np.ndarray) else v for v in msgspec.structs.astuple(event)] for event in events]


def test_daemon_s_events_are_replayed_exactly_from_disk_across_reloaded_settings(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, RecordSettings(write_s=4.0))  # few writes: here eleven seconds pass in a moment
    daemon.show(3.0, "happy").show(4.0, None).show(2.0, "sad")
    daemon.detector.reconfigure(STRICT, 1.0)
    daemon.recorder.reconfigure(STRICT, 1.0)
    daemon.show(2.0, "sad").end()
    (recording,) = read_tables(tmp_path)
    assert [part.decide.enter for part in recording.parts] == [0.5, 0.95]
    assert len(daemon.publisher.events) >= 5
    assert facts(replay(recording)) == facts(daemon.publisher.events)


def test_empty_scene_takes_a_row_in_ten_seconds_and_a_face_a_row_a_frame(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, RecordSettings(write_s=30.0))
    daemon.show(60.0, None).show(3.0, "happy").end()
    (recording,) = read_tables(tmp_path)
    (part,) = recording.parts
    assert [step.now for step in part.steps[:6]] == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert len(part.steps) == 6 + 30 + 1  # and the close
    assert recording.began_wall == 1e9


def test_disk_failure_is_logged_once_and_a_new_run_follows(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, "fer_edge")
    folder = tmp_path / "record"
    folder.write_text("in the way")  # no folder can be made here
    daemon = Daemon(folder, RecordSettings(write_s=10.0))
    daemon.show(30.0, "happy")
    wait_until(lambda: daemon.recorder.failure)  # the writing thread is asynchronous
    daemon.show(15.0, "happy")
    folder.unlink()
    daemon.show(40.0, "sad").end()
    logged = [record.message for record in caplog.records if "not recorded" in record.message]
    assert len(logged) == 1
    assert "retrying" in logged[0]
    recordings = read_tables(folder)
    assert all(recording.name.startswith("20261121-ab.") for recording in recordings)


def test_bug_in_the_writing_thread_is_raised_by_check(tmp_path: Path) -> None:
    nameless = msgspec.structs.replace(ORIGIN, run="no file\0name")
    daemon = Daemon(tmp_path, RecordSettings(write_s=1.0), nameless)
    daemon.recorder.check()
    daemon.show(1.1, "happy").end()
    with pytest.raises(ValueError, match="null"):
        daemon.recorder.check()


def test_disk_error_is_a_failure_with_its_reason_and_not_a_bug(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("in the way")
    daemon = Daemon(tmp_path / "record", RecordSettings(write_s=1.0))
    daemon.show(1.1, "happy").end()
    daemon.recorder.check()
    assert "not a directory" in daemon.recorder.failure or "file exists" in daemon.recorder.failure


def test_rows_after_lost_ones_begin_a_new_run(tmp_path: Path) -> None:
    """The disk hangs in one write and fails it while the next one is queued: a named pipe does that."""
    daemon = Daemon(tmp_path, RecordSettings(write_s=1.0))
    pipe = tmp_path / "scores-00000001-20261121-ab.csv.gz"
    os.mkfifo(pipe)
    daemon.show(1.1, "happy")  # the first write hangs: the pipe has no reader
    daemon.show(1.0, "sad")  # the second waits behind it
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    wait_until(lambda: daemon.recorder.failure)  # a pipe cannot be synced
    daemon.show(0.5, "angry").end()
    try:
        written = gzip.decompress(os.read(reader, 1 << 16)).decode()
    finally:
        os.close(reader)
    times = [float(row.partition(",")[0]) for row in written.splitlines()]
    assert times == [number / 10 for number in range(11)]  # of the first write alone
    pipe.unlink()
    (recording,) = read_tables(tmp_path)  # rows after the failure are a run of their own
    assert recording.name == "20261121-ab.1"
    assert [step.now for step in recording.parts[0].steps] == [2.1, 2.2, 2.3, 2.4, 2.5, 2.6]


def test_new_settings_after_a_failure_still_begin_a_new_run(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    daemon = Daemon(folder, RecordSettings(write_s=1.0))
    daemon.show(1.1, "happy")
    wait_until(lambda: list(folder.glob("*.gz")))
    moved = folder.rename(tmp_path / "away")
    folder.write_text("in the way")
    daemon.show(1.0, "happy")
    wait_until(lambda: daemon.recorder.failure)
    folder.unlink()
    moved.rename(folder)
    daemon.recorder.reconfigure(STRICT, 1.0)
    daemon.show(0.5, "happy").end()
    before, after = read_tables(folder)
    assert before.name == "20261121-ab"
    assert after.name.startswith("20261121-ab.")
    assert after.parts[0].decide == STRICT


def test_failure_of_the_last_write_is_logged_at_stop(tmp_path: Path, caplog) -> None:
    folder = tmp_path / "record"
    folder.write_text("in the way")
    Daemon(folder, RecordSettings(write_s=3600.0)).show(1.0, "happy").end()
    (logged,) = [record.message for record in caplog.records if "not recorded" in record.message]
    assert str(folder) in logged


def test_folder_is_record_folder_or_one_in_the_state_folder(tmp_path: Path) -> None:
    for settings, folder in (
        (RecordSettings(folder=str(tmp_path / "named")), tmp_path / "named"),
        (RecordSettings(), tmp_path / "state" / "record"),
    ):
        recorder = open_recorder(Settings(record=settings), tmp_path / "state", "ab", 5.0, 1e9)
        pipeline = Pipeline(lambda frame: (), EventDetector(DECIDE, 1.0), EventList(), [recorder])
        pipeline.step(Frame(BLACK, 5.0, 0))
        recorder.stop(20.0)
        (recording,) = read_tables(folder)
        assert recording.name.startswith("20010909T014640Z-")  # 1e9 seconds after 1970
        assert recording.began_wall == 1e9 - 5.0
    with pytest.raises(SettingsError, match=r"record\.folder"):
        open_recorder(Settings(), None, "ab", 5.0, 1e9)
