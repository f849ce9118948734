import os
import socket
from pathlib import Path

import pytest

from fer_edge.daemon.systemd import Notifier


def test_service_manager_hears_what_is_told_and_children_do_not_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        notifier.tell(READY=1, STATUS="watching")
        assert manager.recv(100) == b"READY=1\nSTATUS=watching"
        assert "NOTIFY_SOCKET" not in os.environ
        notifier.close()


def test_nothing_is_said_where_no_service_manager_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().tell(READY=1)
