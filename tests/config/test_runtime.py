"""config.yaml below what was changed while the daemon ran."""

import logging
from pathlib import Path

import msgspec
import pytest

from fer_edge.config.loader import load_document
from fer_edge.config.overrides import Overrides, OverridesError, OverridesFile
from fer_edge.config.rules import contradictions
from fer_edge.config.runtime import DROP_ALL, RuntimeConfig
from fer_edge.errors import SettingsError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("# mine\ndecide:\n  enter: 0.6  # tuned in March\n")
    return path


@pytest.fixture
def overlay(tmp_path: Path) -> OverridesFile:
    return OverridesFile(tmp_path / "state" / "porch.json")


def start(config: Path, overlay: OverridesFile | None) -> RuntimeConfig:
    return RuntimeConfig(load_document(config), config, overlay)


def test_change_is_in_force_outlives_the_daemon_and_leaves_the_user_s_file_as_it_was(config, overlay) -> None:
    before = config.read_bytes()
    live = start(config, overlay)
    taken = live.change({"decide": {"enter": 0.8}})
    assert (taken.keys, taken.need_restart) == (["decide.enter"], [])
    assert live.settings.decide.enter == 0.8
    again = start(config, overlay)
    assert again.settings.decide.enter == 0.8
    assert again.table()["decide"]["enter"] == {"value": 0.8, "from": "override"}
    again.change({"decide": {"enter": None}})
    assert start(config, overlay).table()["decide"]["enter"] == {"value": 0.6, "from": "file"}
    assert config.read_bytes() == before


def test_change_with_a_mistake_changes_nothing(config, overlay) -> None:
    live = start(config, overlay)
    with pytest.raises(SettingsError) as caught:
        live.change({"decide": {"enter": 0.9, "leaf": 0.1, "dwell_s": -1}})
    assert str(caught.value).splitlines() == [
        "decide.leaf: unknown key, did you mean leave?",
        "decide.dwell_s: must be a number between 0 and 86400, got -1",
    ]
    with pytest.raises(SettingsError, match=r"decide\.leave: must be at most decide\.enter"):
        live.change({"decide": {"enter": 0.1}})
    assert live.settings == load_document(config).settings
    assert not overlay.path.exists()


def test_change_that_cannot_be_stored_changes_nothing(config, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    live = start(config, OverridesFile(tmp_path / "file" / "porch.json"))
    with pytest.raises(OverridesError):
        live.change({"decide": {"enter": 0.9}})
    assert live.settings.decide.enter == 0.6
    assert live.table()["decide"]["enter"]["from"] == "file"


def test_pause_outlives_the_daemon_and_holds_where_it_cannot_be_stored(config, overlay, tmp_path, caplog) -> None:
    live = start(config, overlay)
    assert not live.paused
    assert live.pause(paused=True)
    assert start(config, overlay).paused
    live.pause(paused=False)
    assert not start(config, overlay).paused
    (tmp_path / "file").write_text("")
    unlucky = start(config, OverridesFile(tmp_path / "file" / "porch.json"))
    with caplog.at_level(logging.WARNING):
        assert not unlucky.pause(paused=True)
    assert unlucky.paused
    assert "pause not stored, a restart will undo it" in caplog.text


def test_pause_is_kept_only_where_a_restart_would_find_it(config, tmp_path) -> None:
    in_the_way = tmp_path / "state"
    in_the_way.write_text("")
    overlay = OverridesFile(in_the_way / "porch.json")
    live = start(config, overlay)
    assert not live.pause(paused=True)
    assert not live.pause(paused=True)  # asked again it is no more on disk than before
    in_the_way.unlink()
    assert live.pause(paused=True)
    assert start(config, overlay).paused
    overlay.path.unlink()  # by hand, to be rid of it
    assert live.pause(paused=True)
    assert start(config, overlay).paused
    overlay.path.write_text("{}")
    assert live.pause(paused=False)
    assert overlay.path.read_text() == "{}"  # it says so already


def test_reload_takes_the_file_and_keeps_the_overrides_over_it(config, overlay) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.8}})
    config.write_text("decide: {enter: 0.6, dwell_s: 2}\ncamera: {width: 320}\n")
    taken = live.reload()
    assert (taken.keys, taken.need_restart) == (["decide.dwell_s"], ["camera.width"])
    assert (live.settings.decide.enter, live.settings.decide.dwell_s, live.settings.camera.width) == (0.8, 2.0, 640)


def test_reload_of_a_file_with_a_mistake_or_against_the_overrides_changes_nothing(config, overlay) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.5}})
    for text in ("decide: {entr: 1}", "decide: {leave: 0.55, enter: 0.6}"):
        config.write_text(text)
        with pytest.raises(SettingsError):
            live.reload()
    assert live.settings.decide.leave == 0.35


def test_overrides_that_do_not_fit_any_more_are_set_aside_and_said_but_a_pause_stays(config, overlay, caplog) -> None:
    for wrong in ({"decide": {"gone_key": 1}}, {"decide": {"leave": 0.9}}, {"mqtt": {"host": "x"}}):
        overlay.path.parent.mkdir(exist_ok=True)
        overlay.path.write_bytes(msgspec.json.encode(Overrides(paused=True, settings=wrong)))
        with caplog.at_level(logging.WARNING):
            live = start(config, overlay)
        assert live.settings == load_document(config).settings
        assert live.paused
        assert overlay.load() == Overrides(paused=True)
        assert "renamed to" in caplog.messages[-1]
        assert (overlay.path.parent / "porch.json.rejected").exists()


def test_daemon_without_a_folder_of_its_own_changes_what_is_in_force_and_keeps_nothing(config, tmp_path) -> None:
    live = start(config, None)
    live.change({"decide": {"enter": 0.8}})
    assert live.settings.decide.enter == 0.8
    assert not live.pause(paused=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]


def test_reload_that_would_put_a_short_summary_into_aggregate_mode_changes_nothing(config, overlay) -> None:
    config.write_text("privacy: {mode: aggregate}\npublish: {summary_s: 300}\n")
    live = start(config, overlay)
    config.write_text("privacy: {mode: full}\npublish: {summary_s: 10}\n")
    with pytest.raises(SettingsError) as caught:
        live.reload()
    assert str(caught.value) == (
        "publish.summary_s: must be at least 60 where privacy.mode is aggregate, got 10; "
        "the new value of privacy.mode needs a restart of the daemon first"
    )
    assert contradictions(live.settings) == []
    assert live.settings.publish.summary_s == 300


def test_change_is_held_against_what_is_in_force_not_against_a_file_that_waits_for_a_restart(config, overlay) -> None:
    config.write_text("privacy: {mode: aggregate}\n")
    live = start(config, overlay)
    config.write_text("privacy: {mode: full}\n")
    assert live.reload().need_restart == ["privacy.mode"]
    with pytest.raises(SettingsError, match=r"must be at least 60 where privacy\.mode is aggregate"):
        live.change({"publish": {"summary_s": 10}})
    assert live.settings.publish.summary_s == 300
    live.change({"publish": {"summary_s": 60}})
    assert live.settings.publish.summary_s == 60


ZONE = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("text", "enter", "edit"),
    [
        ("decide: {enter: 0.7}", 0.7, "decide.enter: edited in config.yaml to 0.7, its override 0.8 is dropped"),
        ("decide: {}", 0.5, "decide.enter: removed from config.yaml, its override 0.8 is dropped"),
    ],
)
def test_edit_of_a_key_after_its_override_wins_at_the_next_reload_or_start_and_is_logged(
    config, overlay, caplog, restart, text, enter, edit
) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.8, "dwell_s": 1}})
    config.write_text(text)
    if restart:
        live = start(config, overlay)
    else:
        assert live.reload().keys == ["decide.enter"]
    assert (live.settings.decide.enter, live.settings.decide.dwell_s) == (enter, 1.0)
    assert edit in caplog.messages
    assert overlay.load().settings == {"decide": {"dwell_s": 1}}
    caplog.clear()
    live.reload()
    assert caplog.messages == []


def test_override_that_was_pasted_into_config_yaml_is_dropped_and_nothing_changes(config, overlay) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.8}})
    config.write_text("decide: {enter: 0.8}")
    assert live.reload().keys == []
    assert live.table()["decide"]["enter"] == {"value": 0.8, "from": "file"}


def test_edit_that_cannot_be_taken_over_leaves_the_override(config, overlay) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.8}})
    config.write_text("decide: {enter: 0.2, leave: 0.3}")
    with pytest.raises(SettingsError):
        live.reload()
    assert live.settings.decide.enter == 0.8
    assert overlay.load().settings == {"decide": {"enter": 0.8}}


def test_zones_are_stored_and_in_force_from_the_next_start(config, overlay) -> None:
    live = start(config, overlay)
    applied = live.change({"privacy": {"zones": [ZONE]}}, zones=True)
    assert (applied.keys, applied.need_restart) == ([], ["privacy.zones"])
    assert live.settings.privacy.zones == ()
    again = start(config, overlay)
    assert again.settings.privacy.zones == (tuple(map(tuple, ZONE)),)
    config.write_text("privacy: {zones: [[[0, 0], [1, 0], [1, 1]]]}")
    assert again.reload().need_restart == ["privacy.zones"]
    assert start(config, overlay).settings.privacy.zones == (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)


def test_zones_are_closed_to_requests_and_the_rest_of_privacy_to_the_page(config, overlay) -> None:
    live = start(config, overlay)
    with pytest.raises(SettingsError, match="privacy: cannot be changed at run time"):
        live.change({"privacy": {"zones": []}})
    with pytest.raises(SettingsError, match=r"privacy\.mode: cannot be changed at run time"):
        live.change({"privacy": {"mode": "full"}}, zones=True)
    with pytest.raises(SettingsError, match=r"privacy\.zones\[0\]: its edges"):
        live.change({"privacy": {"zones": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}}, zones=True)
    with pytest.raises(SettingsError, match="no state directory"):
        start(config, None).change({"privacy": {"zones": [ZONE]}}, zones=True)


def test_zones_of_overrides_that_do_not_fit_any_more_stay_in_force(config, overlay) -> None:
    overlay.save(Overrides(settings={"decide": {"leave": 0.9}, "privacy": {"zones": [ZONE]}}))
    live = start(config, overlay)
    assert live.settings.privacy.zones == (tuple(map(tuple, ZONE)),)
    assert live.settings.decide == load_document(config).settings.decide
    assert overlay.load().settings == {"privacy": {"zones": [ZONE]}}


def test_all_overrides_are_dropped_at_once(config, overlay) -> None:
    live = start(config, overlay)
    live.change({"decide": {"enter": 0.8}, "privacy": {"zones": [ZONE]}, "log_level": "debug"}, zones=True)
    live.change(DROP_ALL, zones=True)
    assert overlay.load().settings == {}
    assert live.settings == live.next == load_document(config).settings


@pytest.mark.parametrize("value", [None, {"enter": None}, {"emotions": {"sad": {"enter": None}}}])
def test_null_in_stored_overrides_is_no_override(config, overlay, value) -> None:
    overlay.save(Overrides(settings={"decide": value}))
    assert start(config, overlay).settings == load_document(config).settings
