"""Thresholds saved on the page: into the file, or over it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fer_edge.config.loader import load_document, load_settings, parse_settings
from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.config.writer import Draft
from fer_edge.daemon.commands import CommandQueue, over
from fer_edge.errors import SettingsError, UserError

BEFORE = DecideSettings()


def kept(keeper: CommandQueue, decide: DecideSettings, before: DecideSettings = BEFORE) -> str:
    """What `keep` gives in a thread of its own, while this one serves as the main thread does."""
    with ThreadPoolExecutor(1) as page:
        answer = page.submit(keeper.keep, decide, before)
        while not answer.done():
            keeper.serve()
        return answer.result()


@pytest.fixture
def live_of() -> Callable[[Path], tuple[RuntimeConfig, CommandQueue]]:
    def make(path: Path) -> tuple[RuntimeConfig, CommandQueue]:
        live = RuntimeConfig(load_document(path), path, None)

        return live, CommandQueue(path, live.change)

    return make


def test_file_that_can_be_written_is_and_what_lay_over_it_goes(tmp_path: Path, live_of) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("decide: {enter: 0.5}  # half\n")
    live, keeper = live_of(path)
    live.change({"decide": {"enter": 0.9}})
    wanted = replace(BEFORE, enter=0.7)
    assert kept(keeper, wanted, live.settings.decide) == str(path)
    assert live.settings.decide == wanted == load_settings(path).decide
    assert path.read_text().endswith("# half\n")


def test_file_that_may_not_be_written_is_left_and_the_change_lies_over_it(foreign_file, live_of, ordinary_user) -> None:
    path = foreign_file
    live, keeper = live_of(path)
    before = path.read_text()
    wanted = replace(BEFORE, enter=0.7, emotions={"sad": Threshold(enter=0.9)})
    where = kept(keeper, wanted, live.settings.decide)
    assert where.startswith("the changes at run time, which lie over config.yaml")
    assert path.read_text() == before
    decide = live.settings.decide
    assert decide.enter == 0.7
    assert decide.emotions["happy"].enter == 0.7  # the draft had none of its own, so not the file's 0.8 either
    assert decide.emotions["sad"].enter == 0.9


def test_zones_that_cannot_be_written_are_given_back_as_the_words_for_the_file(foreign_file, ordinary_user) -> None:
    before = foreign_file.read_text()
    zone = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))
    with pytest.raises(UserError, match="cannot be written: permission denied") as caught:
        CommandQueue(foreign_file, lambda change, draft: None).keep_zones((zone,))
    assert "\n" not in str(caught.value)
    assert foreign_file.read_text() == before
    words = str(caught.value).partition("by hand: ")[2]
    settings, mistakes = parse_settings(words)
    assert settings is not None, mistakes
    assert settings.privacy.zones == (zone,)


def test_daemon_without_a_file_keeps_it_over_nothing() -> None:
    taken: list[tuple[dict[str, Any], Draft | None]] = []
    keeper = CommandQueue(None, lambda change, draft: taken.append((change, draft)))
    assert kept(keeper, replace(BEFORE, enter=0.7)).startswith("memory only")
    assert taken == [(over(replace(BEFORE, enter=0.7), BEFORE), None)]


def test_change_that_cannot_be_taken_over_is_said_to_the_page() -> None:
    def refuse(change: dict[str, Any], draft: Draft | None) -> None:
        raise SettingsError("decide.leave must be at most decide.enter")

    with pytest.raises(UserError, match="must be at most"):
        kept(CommandQueue(None, refuse), BEFORE)


@pytest.mark.parametrize("rounds", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_two_saves_at_once_lose_nothing_of_each_other(tmp_path: Path, live_of, rounds: int) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("decide: {enter: 0.5}\nprivacy: {mode: full}\n")
    live, keeper = live_of(path)
    for round_ in range(rounds):
        wanted = replace(BEFORE, enter=0.5 + round_ / 200)
        zones = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0 - round_ / 200)),)
        with ThreadPoolExecutor(2) as pages:
            saves = [pages.submit(keeper.keep, wanted, live.settings.decide), pages.submit(keeper.keep_zones, zones)]
            while not all(save.done() for save in saves):
                keeper.serve()
            assert [save.result() for save in saves] == [str(path), str(path)]
        settings = load_settings(path)
        assert (settings.decide, settings.privacy.zones) == (wanted, zones)
        assert live.settings.decide == wanted


def test_change_that_nobody_takes_over_in_time_is_not_saved_later_either(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("decide: {enter: 0.5}\n")
    live = RuntimeConfig(load_document(path), path, None)
    keeper = CommandQueue(path, live.change, answer_s=0.0)
    with pytest.raises(UserError, match="nothing was saved, try again"):
        keeper.keep(replace(BEFORE, enter=0.7), BEFORE)
    keeper.serve()
    assert live.settings.decide.enter == 0.5
    assert path.read_text() == "decide: {enter: 0.5}\n"
