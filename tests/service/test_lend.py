"""Commands with the service's settings use the service's password and state."""

from pathlib import Path

import pytest

from fer_edge.service.paths import STATE, use_service_folders


def environment_for(path: Path | None, settings: Path, **environment: str) -> dict[str, str]:
    use_service_folders(path, environment, settings)
    return environment


def test_service_s_settings_give_its_password_and_state_by_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config.yaml"
    settings.touch()
    monkeypatch.chdir(tmp_path)
    expected = {"CREDENTIALS_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(STATE)}
    assert environment_for(settings, settings) == expected
    assert environment_for(Path("config.yaml"), settings) == expected
    (tmp_path / "more").mkdir()
    assert environment_for(Path("more/../config.yaml"), settings) == expected


def test_other_settings_give_nothing_and_set_variables_stay(tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"
    assert environment_for(tmp_path / "other" / "config.yaml", settings) == {}
    assert environment_for(None, settings) == {}
    assert environment_for(settings, settings, CREDENTIALS_DIRECTORY="/run/own")["CREDENTIALS_DIRECTORY"] == "/run/own"
