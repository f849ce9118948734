"""Notifications to systemd, received on a real socket."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.daemon.status import StatusPart
from fer_edge.daemon.systemd import Notifier, Systemd

ON_TIME = {"camera": 1e9, "link": 1e9}


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


def received(manager: socket.socket) -> list[str]:
    notifications = []
    while True:
        try:
            notifications.append(manager.recv(1000).decode())
        except BlockingIOError:
            return notifications


def test_ready_is_sent_once_and_only_when_camera_and_broker_were_tried(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.update(0.5, tried=False, parts=parts, deadlines=ON_TIME)
    assert not systemd.ready
    assert "READY=1" not in received(manager)
    systemd.update(0.7, tried=True, parts=parts, deadlines=ON_TIME)
    assert received(manager).count("READY=1") == 1
    systemd.update(0.8, tried=True, parts=parts, deadlines=ON_TIME)
    assert "READY=1" not in received(manager)


def test_first_attempt_that_does_not_end_delays_ready_by_45_seconds_at_most(
    manager: socket.socket, systemd: Systemd
) -> None:
    systemd.update(44.9, tried=False, parts=parts, deadlines=ON_TIME)
    assert "READY=1" not in received(manager)
    systemd.update(45.0, tried=False, parts=parts, deadlines=ON_TIME)
    assert "READY=1" in received(manager)


def test_status_is_sent_before_ready_and_again_only_when_it_changes(manager: socket.socket, systemd: Systemd) -> None:
    systemd.update(0.0, tried=True, parts=parts, deadlines=ON_TIME)
    assert received(manager) == ["STATUS=camera not ok: opening", "READY=1", "WATCHDOG=1"]
    systemd.update(5.0, tried=True, parts=parts, deadlines=ON_TIME)
    assert received(manager) == ["WATCHDOG=1"]
    systemd.update(6.5, tried=True, parts=lambda: parts("lost"), deadlines=ON_TIME)
    assert received(manager) == ["STATUS=camera not ok: lost", "WATCHDOG=1"]


def test_reload_has_its_time_and_ends_with_ready_and_a_new_status(manager: socket.socket, systemd: Systemd) -> None:
    systemd.update(0.0, tried=True, parts=parts, deadlines=ON_TIME)
    received(manager)
    before = time.monotonic_ns() // 1000
    systemd.reloading()
    systemd.reloaded()
    first, second = received(manager)
    state, moment = first.splitlines()
    assert state == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert second == "READY=1"
    systemd.update(0.1, tried=True, parts=lambda: parts("lost"), deadlines=ON_TIME)
    assert received(manager) == ["STATUS=camera not ok: lost"]


def test_late_thread_stops_the_watchdog_although_the_loop_runs(manager: socket.socket, systemd: Systemd) -> None:
    systemd.update(10.0, tried=True, parts=parts, deadlines=ON_TIME | {"link": 9.0})
    assert "WATCHDOG=1" not in received(manager)


def test_lost_systemd_socket_is_logged_once_and_raises_nothing(
    manager: socket.socket, systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    manager.close()
    for now in range(5):
        systemd.update(float(now), tried=True, parts=parts, deadlines=ON_TIME)
    assert len(caplog.records) == 1
    assert "cannot notify systemd" in caplog.records[0].message
