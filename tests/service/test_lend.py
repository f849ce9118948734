"""`check`, `events` and `home-assistant remove` with the service's settings find what the service finds."""

from pathlib import Path

import pytest

from fer_edge.service.paths import STATE, use_service_folders


def lent(path: Path | None, settings: Path, **environment: str) -> dict[str, str]:
    use_service_folders(path, environment, settings)
    return environment


def test_service_s_settings_bring_its_password_and_state_however_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config.yaml"
    settings.touch()
    monkeypatch.chdir(tmp_path)
    there = {"CREDENTIALS_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(STATE)}
    assert lent(settings, settings) == there
    assert lent(Path("config.yaml"), settings) == there
    (tmp_path / "more").mkdir()
    assert lent(Path("more/../config.yaml"), settings) == there


def test_other_settings_bring_nothing_and_what_is_set_stays(tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"
    assert lent(tmp_path / "other" / "config.yaml", settings) == {}
    assert lent(None, settings) == {}
    assert lent(settings, settings, CREDENTIALS_DIRECTORY="/run/own")["CREDENTIALS_DIRECTORY"] == "/run/own"
