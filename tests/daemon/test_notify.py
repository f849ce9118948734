import os
import socket
from pathlib import Path

import pytest

from fer_edge.daemon.systemd import Notifier


def test_notification_reaches_systemd_and_children_do_not_inherit_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        notifier.notify(READY=1, STATUS="running")
        assert manager.recv(100) == b"READY=1\nSTATUS=running"
        assert "NOTIFY_SOCKET" not in os.environ
        notifier.close()


def test_notification_without_a_socket_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().notify(READY=1)
