"""Shutdown of the main loop: each step runs even if another fails, and no failure is lost."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from fer_edge.capture.camera import LatestFrame
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.model import DecideSettings
from fer_edge.daemon.loop import Daemon
from fer_edge.daemon.signals import Signals
from fer_edge.daemon.systemd import Notifier, Systemd
from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.events.summary import SummaryScheduler
from fer_edge.pipeline import Pipeline
from fer_edge.types import Event, Face, Frame


class Observer:
    """Observer whose `on_close` raises the given error."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None: ...

    def on_tick(self, decision: Decision, now: float) -> None: ...

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        if self._error is not None:
            raise self._error


class FakeDaemon:
    """Main loop with a real pipeline, and fakes of camera, link and recorder that record their calls in `steps`."""

    def __init__(
        self, closing: Exception | None = None, recording: Exception | None = None, page: object = None
    ) -> None:
        self.steps: list[str] = []
        self._recording = recording
        self.signals = Signals()
        now = time.monotonic()
        observer = Observer(closing)
        publisher = SimpleNamespace(event=lambda event: None, seen=lambda seen, now: None, nobody=lambda now: None)
        recorder = SimpleNamespace(stop=lambda timeout_s: self._record("recorder"), check=self._check)
        link = SimpleNamespace(state=lambda now: SimpleNamespace(tried=True), deadline=now + 60.0)
        parts: dict[str, Any] = {
            "signals": self.signals,
            "systemd": Systemd(Notifier(), now),
            "latest_frame": LatestFrame(),
            "capture": SimpleNamespace(
                start=lambda: None, check=lambda: None, stop=lambda: self._record("camera"), deadline=now + 60.0
            ),
            "monitor": SimpleNamespace(update=lambda now: None, phase=CameraPhase.RUNNING),
            "pipeline": Pipeline(lambda frame: (), EventDetector(DecideSettings(), 1.0), publisher, [observer]),
            "windows": SummaryScheduler(lambda window: self._record("summary"), 300.0, now - 1.0),
            "delivery": SimpleNamespace(
                link=link, start=lambda: None, check=lambda now: None, stop=lambda timeout_s: self._record("offline")
            ),
            "commands": SimpleNamespace(serve=lambda now: None, adopt=lambda change: None, mistake=""),
            "saves": SimpleNamespace(serve=lambda adopt: None),
            "health": SimpleNamespace(
                update=lambda now: None,
                publish_if_due=lambda now: self.signals.stop.set(),
                exceeds_memory=lambda now: False,
                parts=lambda now, mistake: [],
            ),
            "preview": page,
            "recorder": recorder,
        }
        self.running = Daemon(**parts)

    def _record(self, step: str) -> None:
        self.steps.append(step)

    def _check(self) -> None:
        error, self._recording = self._recording, None
        if error is not None:
            raise error


def test_stop_runs_its_steps_in_order() -> None:
    daemon = FakeDaemon()
    assert daemon.running.run() == 0
    assert daemon.steps == ["camera", "summary", "recorder", "offline"]


def test_observer_that_fails_at_the_end_prevents_neither_offline_nor_the_writing_of_scores() -> None:
    daemon = FakeDaemon(closing=ZeroDivisionError("of an observer"))
    with pytest.raises(ZeroDivisionError, match="of an observer"):
        daemon.running.run()
    assert daemon.steps == ["camera", "summary", "recorder", "offline"]


def test_recorder_whose_thread_ended_ends_the_daemon_in_order_and_with_its_error() -> None:
    daemon = FakeDaemon(recording=ValueError("of the recorder's thread"))
    with pytest.raises(ValueError, match="of the recorder's thread"):
        daemon.running.run()
    assert daemon.steps == ["camera", "summary", "recorder", "offline"]


def test_page_whose_thread_ended_ends_the_daemon_in_order_and_with_its_error() -> None:
    def check(now: float) -> None:
        raise ValueError("of the encoder's thread")

    daemon = FakeDaemon(page=SimpleNamespace(start=lambda: None, check=check, stop=lambda: None))
    with pytest.raises(ValueError, match="of the encoder's thread"):
        daemon.running.run()
    assert daemon.steps == ["camera", "summary", "recorder", "offline"]


def test_first_failure_stays_in_the_traceback_of_a_later_one() -> None:
    daemon = FakeDaemon(recording=ValueError("first"), closing=ZeroDivisionError("later"))
    with pytest.raises(ZeroDivisionError, match="later") as caught:
        daemon.running.run()
    chain, error = [], caught.value
    while error is not None and len(chain) < 9:
        chain.append(str(error))
        error = error.__context__
    assert set(chain) == {"first", "later"}
