"""The live page as the daemon holds it."""

import math
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from fer_edge.config.loader import load_document, load_settings
from fer_edge.config.model import DecideSettings, PreviewSettings, Settings
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.config.writer import Draft
from fer_edge.daemon.commands import CommandQueue
from fer_edge.web.server import Preview

TOKEN = "0123456789abcdef"
ZONE = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))
GUESS = "a-secret-that-was-typed-here-by-mistake"


@pytest.fixture
def preview(tmp_path: Path) -> Iterator[Preview]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = Settings(preview=PreviewSettings(port=port, token_file=str(tmp_path / "token")))
    one = Preview(settings, "kitchen", CommandQueue(None, lambda change, draft: None))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def saving(tmp_path: Path) -> Iterator[tuple[Preview, CommandQueue, Path]]:
    """A page whose saves go into a real file and come into force; without a token."""
    path = tmp_path / "config.yaml"
    path.write_text("# by hand\ndecide: {enter: 0.6}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    document = load_document(path)
    live = RuntimeConfig(document, path, None)

    def adopt(change: dict[str, Any], draft: Draft | None) -> None:
        live.change(change, draft)
        one.stage.reconfigure(live.settings.decide, 1.0)

    keeper = CommandQueue(path, adopt)
    one = Preview(replace(document.settings, preview=PreviewSettings(port=port)), "kitchen", keeper)
    one.start()
    yield one, keeper, path
    one.stop()


def saved(saving: tuple[Preview, CommandQueue, Path], *bodies: tuple[str, object]) -> list[int]:
    """The statuses of saves that two browsers send at one moment, while this thread serves as the main thread does."""
    preview, keeper, _ = saving

    def save(address: str, body: object) -> int:
        headers = {"X-Fer-Edge": "page", "Content-Type": "application/json"}
        request = urllib.request.Request(preview.url + address, msgspec.json.encode(body), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with ThreadPoolExecutor(len(bodies)) as browsers:
        answers = [browsers.submit(save, *body) for body in bodies]
        while not all(answer.done() for answer in answers):
            keeper.serve()
        return sorted(answer.result() for answer in answers)


def test_thresholds_and_zones_of_two_browsers_at_one_moment_are_both_in_the_file(saving) -> None:
    was = DecideSettings(enter=0.6)
    thresholds = ("keep", {"decide": replace(was, enter=0.7), "was": was})
    zones = ("zones", {"zones": [ZONE], "were": []})
    assert saved(saving, thresholds, zones) == [200, 200]
    settings = load_settings(saving[2])
    assert (settings.decide.enter, settings.privacy.zones) == (0.7, (ZONE,))
    assert saving[2].read_text().startswith("# by hand\n")


def test_of_two_browsers_that_save_other_thresholds_at_one_moment_one_is_kept_whole_and_one_refused(saving) -> None:
    was = DecideSettings(enter=0.6)
    first, second = replace(was, enter=0.7), replace(was, leave=0.3)
    assert saved(saving, ("keep", {"decide": first, "was": was}), ("keep", {"decide": second, "was": was})) == [
        200,
        409,
    ]
    assert load_settings(saving[2]).decide in (first, second)


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
    assert [record.getMessage() for record in caplog.records] == ["preview: rejected 8 wrong tokens from 127.0.0.1"]


def test_right_token_leaves_no_line_in_the_log(preview, caplog) -> None:
    assert [status(preview, TOKEN) for _ in range(8)] == [200] * 8
    preview.check(math.inf)
    assert caplog.records == []
