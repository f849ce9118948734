"""Changes saved on the page, put in force by the main thread."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fer_edge.config.loader import load_document
from fer_edge.config.overrides import OverridesFile
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.daemon.commands import CommandQueue
from fer_edge.errors import SettingsError, UserError


def submit(adopt: Callable[[Mapping[str, Any]], object], *changes: Mapping[str, Any]) -> None:
    """Submit changes in threads of their own, while this one serves as the main thread does."""
    commands = CommandQueue()
    with ThreadPoolExecutor(len(changes)) as pages:
        answers = [pages.submit(commands.submit, change) for change in changes]
        while not all(answer.done() for answer in answers):
            commands.serve(adopt)
        for answer in answers:
            answer.result()


@pytest.fixture
def live(tmp_path: Path) -> RuntimeConfig:
    path = tmp_path / "config.yaml"
    path.write_text("decide: {enter: 0.5}  # half\n")
    return RuntimeConfig(load_document(path), path, OverridesFile(tmp_path / "state" / "porch.json"))


def test_change_is_in_force_when_the_save_returns_and_config_yaml_stays_as_it_is(live, tmp_path: Path) -> None:
    submit(live.change, {"decide": {"enter": 0.7}})
    assert live.settings.decide == replace(load_document(tmp_path / "config.yaml").settings.decide, enter=0.7)
    assert (tmp_path / "config.yaml").read_text() == "decide: {enter: 0.5}  # half\n"


def test_change_that_is_refused_reaches_the_page_with_its_reason() -> None:
    def refuse(change: Mapping[str, Any]) -> None:
        raise SettingsError("decide.leave must be at most decide.enter")

    with pytest.raises(UserError, match="must be at most"):
        submit(refuse, {})


@pytest.mark.parametrize("rounds", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_two_saves_at_once_lose_nothing_of_each_other(live, rounds: int) -> None:
    for round_ in range(rounds):
        zone = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0 - round_ / 200]]
        changes = {"decide": {"enter": 0.51 + round_ / 200}}, {"privacy": {"zones": [zone]}}
        submit(lambda change: live.change(change, zones=True), *changes)
        assert live.settings.decide.enter == 0.51 + round_ / 200
        assert live.next.privacy.zones == (tuple(tuple(point) for point in zone),)


def test_change_that_timed_out_is_not_put_in_force_later(live) -> None:
    commands = CommandQueue(answer_s=0.0)
    with pytest.raises(UserError, match="nothing was saved, try again"):
        commands.submit({"decide": {"enter": 0.7}})
    commands.serve(live.change)
    assert live.settings.decide.enter == 0.5
