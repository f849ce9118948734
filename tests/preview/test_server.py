"""Where the page is served, and on what terms."""

import socket
from pathlib import Path

import flask
import pytest

from fer_edge.config import PreviewSettings
from fer_edge.errors import SettingsError, UserError
from fer_edge.preview.server import Server, read_token


def test_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}: address already in use; set preview"):
            Server(flask.Flask("x"), PreviewSettings(port=port))


def test_address_that_is_not_this_machine_s_is_said_in_one_line() -> None:
    for address in ("192.0.2.1", "no such name"):
        with pytest.raises(UserError, match="cannot listen on") as caught:
            Server(flask.Flask("x"), PreviewSettings(address=address))
        assert "\n" not in str(caught.value)


def test_loopback_needs_no_token_and_every_other_address_does(tmp_path: Path) -> None:
    assert read_token(PreviewSettings()) is None
    for address in ("0.0.0.0", "::", "192.168.1.5"):
        with pytest.raises(SettingsError, match=r"set preview\.token_file"):
            read_token(PreviewSettings(address=address))
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\nmore\n")
    assert read_token(PreviewSettings(address="0.0.0.0", token_file=str(path))) == "0123456789abcdef"
    assert read_token(PreviewSettings(token_file=str(path))) == "0123456789abcdef"


@pytest.mark.parametrize("content", [None, b"", b"short\n", b"\xff\xfe\xff\xfe" * 10])
def test_token_file_that_is_missing_or_holds_what_can_be_guessed_is_refused(tmp_path: Path, content) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"preview\.token_file") as caught:
        read_token(PreviewSettings(token_file=str(path)))
    assert "\n" not in str(caught.value)
