"""The live page as the daemon holds it."""

import math
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from fer_edge.config.loader import load_document
from fer_edge.config.model import DecideSettings, PreviewSettings, Settings
from fer_edge.config.overrides import OverridesFile
from fer_edge.config.runtime import RuntimeConfig
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
    one = Preview(settings, "kitchen", lambda _: None)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def saving(tmp_path: Path) -> Iterator[tuple[Preview, CommandQueue, RuntimeConfig]]:
    """A page whose saves are stored in a real overrides file and come into force; without a token."""
    path = tmp_path / "config.yaml"
    path.write_text("# by hand\ndecide: {enter: 0.6}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    live = RuntimeConfig(load_document(path), path, OverridesFile(tmp_path / "porch.json"))
    commands = CommandQueue()
    one = Preview(replace(live.settings, preview=PreviewSettings(port=port)), "kitchen", commands.submit)
    one.start()
    yield one, commands, live
    one.stop()


def saved(saving: tuple[Preview, CommandQueue, RuntimeConfig], *bodies: tuple[str, object]) -> list[int]:
    """The statuses of saves that two browsers send at one moment, while this thread serves as the main thread does."""
    preview, commands, live = saving

    def adopt(change: Mapping[str, Any]) -> None:
        live.change(change, zones=True)
        preview.stage.reconfigure(live.settings.decide, 1.0)
        preview.stage.set_overrides(live.overrides, live.next.privacy.zones, live.place)

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
            commands.serve(adopt)
        return sorted(answer.result() for answer in answers)


def test_thresholds_and_zones_of_two_browsers_at_one_moment_are_both_stored(saving) -> None:
    was = DecideSettings(enter=0.6)
    thresholds = ("keep", {"decide": replace(was, enter=0.7), "was": was})
    zones = ("zones", {"zones": [ZONE], "were": []})
    assert saved(saving, thresholds, zones) == [200, 200]
    settings = saving[2].next
    assert (settings.decide.enter, settings.privacy.zones) == (0.7, (ZONE,))


def test_of_two_browsers_that_save_other_thresholds_at_one_moment_one_is_kept_whole_and_one_refused(saving) -> None:
    was = DecideSettings(enter=0.6)
    first, second = replace(was, enter=0.7), replace(was, leave=0.3)
    assert saved(saving, ("keep", {"decide": first, "was": was}), ("keep", {"decide": second, "was": was})) == [
        200,
        409,
    ]
    assert saving[2].settings.decide in (first, second)


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
