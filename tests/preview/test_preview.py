"""The live page as the daemon holds it."""

import math
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.config import PreviewSettings, Settings
from fer_edge.keeper import Keeper
from fer_edge.preview.preview import Preview

TOKEN = "0123456789abcdef"
GUESS = "a-secret-that-was-typed-here-by-mistake"


@pytest.fixture
def preview(tmp_path: Path) -> Iterator[Preview]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = Settings(preview=PreviewSettings(port=port, token_file=str(tmp_path / "token")))
    one = Preview(settings, "kitchen", Keeper(None, lambda change, draft: None))
    one.start()
    yield one
    one.stop()


def status(preview: Preview, token: str) -> int:
    request = urllib.request.Request(preview.url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_burst_of_wrong_tokens_is_one_line_with_address_and_count_and_never_a_token(preview, caplog) -> None:
    assert status(preview, TOKEN) == 200
    statuses = [status(preview, GUESS) for _ in range(8)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses
    preview.check(time.monotonic())
    assert caplog.records == []  # it may go on
    preview.check(time.monotonic() + 10.0)
    preview.check(math.inf)
    assert [record.getMessage() for record in caplog.records] == ["preview: refused 8 wrong tokens from 127.0.0.1"]


def test_right_token_leaves_no_line_in_the_log(preview, caplog) -> None:
    assert [status(preview, TOKEN) for _ in range(8)] == [200] * 8
    preview.check(math.inf)
    assert caplog.records == []
