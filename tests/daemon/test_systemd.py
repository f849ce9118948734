"""What systemd hears, on a real socket in its place."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.daemon.status import StatusPart
from fer_edge.daemon.systemd import Notifier, Systemd

WELL = {"camera": 1e9, "link": 1e9}


def parts(text: str = "opening") -> list[StatusPart]:
    return [StatusPart("camera", ok=False, text=text)]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


@pytest.fixture
def systemd(manager: socket.socket) -> Iterator[Systemd]:
    one = Systemd(Notifier(), now=0.0)
    yield one
    one.close()


def heard(manager: socket.socket) -> list[str]:
    said = []
    while True:
        try:
            said.append(manager.recv(1000).decode())
        except BlockingIOError:
            return said


def test_ready_is_said_once_and_only_when_camera_and_broker_were_tried(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.look(0.5, tried=False, parts=parts, deadline=WELL)
    assert not systemd.ready
    assert "READY=1" not in heard(manager)
    systemd.look(0.7, tried=True, parts=parts, deadline=WELL)
    assert heard(manager).count("READY=1") == 1
    systemd.look(0.8, tried=True, parts=parts, deadline=WELL)
    assert "READY=1" not in heard(manager)


def test_first_attempt_that_does_not_end_holds_ready_back_for_45_seconds_at_most(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.look(44.9, tried=False, parts=parts, deadline=WELL)
    assert "READY=1" not in heard(manager)
    systemd.look(45.0, tried=False, parts=parts, deadline=WELL)
    assert "READY=1" in heard(manager)


def test_status_stands_before_ready_and_is_repeated_only_when_it_changes(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.look(0.0, tried=True, parts=parts, deadline=WELL)
    assert heard(manager) == ["STATUS=camera not ok: opening", "READY=1", "WATCHDOG=1"]
    systemd.look(5.0, tried=True, parts=parts, deadline=WELL)
    assert heard(manager) == ["WATCHDOG=1"]
    systemd.look(6.5, tried=True, parts=lambda: parts("lost"), deadline=WELL)
    assert heard(manager) == ["STATUS=camera not ok: lost", "WATCHDOG=1"]


def test_reload_names_its_moment_and_ends_with_ready_and_a_fresh_status(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.look(0.0, tried=True, parts=parts, deadline=WELL)
    heard(manager)
    before = time.monotonic_ns() // 1000
    systemd.reloading()
    systemd.reloaded()
    first, second = heard(manager)
    word, moment = first.splitlines()
    assert word == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert second == "READY=1"
    systemd.look(0.1, tried=True, parts=lambda: parts("lost"), deadline=WELL)
    assert heard(manager) == ["STATUS=camera not ok: lost"]


def test_late_thread_is_not_covered_up_by_a_loop_that_goes_on(manager: socket.socket, systemd: Systemd) -> None:
    systemd.look(10.0, tried=True, parts=parts, deadline=WELL | {"link": 9.0})
    assert "WATCHDOG=1" not in heard(manager)


def test_manager_that_went_away_is_logged_once_and_ends_nothing(
    manager: socket.socket, systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    manager.close()
    for now in range(5):
        systemd.look(float(now), tried=True, parts=parts, deadline=WELL)
    assert len(caplog.records) == 1
    assert "does not listen" in caplog.records[0].message
