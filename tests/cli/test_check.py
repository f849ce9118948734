import socket
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from fer_edge.cli.check import check_all, check_record, describe_vision
from fer_edge.config.model import ClassifySettings, RecordSettings, Settings
from fer_edge.errors import UserError
from fer_edge.vision.analyzer import build_analyzer, model_path
from fer_edge.vision.model_card import load_card, save_card


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ({"PublicTest": {"top1": 0.5, "faces": 10.0}}, ", 50.0% on PublicTest; "),
        ({"PublicTest": {"top1": 0.5}, "Street": {"recall": 0.9}}, ", 50.0% on PublicTest; "),
        ({}, "); "),
    ],
)
def test_network_is_described_with_the_accuracy_in_its_card(
    tmp_path: Path, scores: dict[str, dict[str, float]], text: str
) -> None:
    shipped = model_path("nano")
    model = tmp_path / "net.tflite"
    model.write_bytes(shipped.read_bytes())
    save_card(replace(load_card(shipped), name="mine", scores=scores), model)
    line = describe_vision(build_analyzer(Settings(classify=ClassifySettings(model=str(model)))))
    assert line.startswith("mine (")
    assert text in line
    assert "Street" not in line


def check(tmp_path: Path, settings: str) -> tuple[int, dict[str, str]]:
    """Return the exit code and the line of each part."""
    path = tmp_path / "config.yaml"
    # Camera and broker are missing, so they fail at once.
    path.write_text("camera: {source: /dev/video77}\nmqtt: {host: 127.0.0.1, port: 1}\n" + settings)
    console = Console(file=StringIO(), width=300)
    code = check_all(path, console, tmp_path / "state")
    lines = console.file.getvalue().splitlines()
    return code, {line[8:18].strip(): line[:8] + line[18:] for line in lines}


def test_preview_and_record_are_reported_only_if_enabled(tmp_path: Path) -> None:
    assert set(check(tmp_path, "")[1]) == {"settings", "model", "camera", "broker"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, lines = check(tmp_path, f"preview: {{enabled: true, port: {port}}}\nrecord: {{enabled: true}}\n")
    assert lines["preview"] == f"ok      free to listen on 127.0.0.1:{port}, from this machine only"
    assert lines["record"] == f"ok      at most 64 MiB of scores in {tmp_path}/state/record"
    assert not (tmp_path / "state").exists()  # a check leaves no file


def test_setting_without_effect_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("camera: {source: /dev/video77}\nmqtt: {port: 1, websocket_path: /ws}\ndetect: {score: 0.6}\n")
    console = Console(file=StringIO(), width=300)
    assert check_all(path, console, tmp_path / "state") == 1  # missing camera and broker
    lines = console.file.getvalue().splitlines()
    assert [line for line in lines if line.startswith("warning")] == [
        "warning settings  mqtt.websocket_path: has no effect where mqtt.transport is tcp"
    ]


@pytest.mark.parametrize(
    ("preview", "text", "code"),
    [
        ("address: 0.0.0.0", "is reachable from other machines: set preview.token_file", 78),
        ("token_file: /nowhere/token", "preview.token_file: cannot read /nowhere/token", 78),
        ("port: {taken}", "cannot listen on 127.0.0.1:{taken}: address already in use; if no running daemon", 1),
    ],
)
def test_preview_with_which_the_daemon_would_not_start_fails(
    tmp_path: Path, preview: str, text: str, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result, lines = check(tmp_path, f"preview: {{enabled: true, {preview.replace('{taken}', port)}}}\n")
    assert result == code
    assert lines["preview"].startswith("failed")
    assert text.replace("{taken}", port) in lines["preview"]


def test_unwritable_folder_for_scores_fails(tmp_path: Path, foreign_file: Path, ordinary_user: None) -> None:
    with pytest.raises(UserError, match="cannot be written: permission denied; set another folder"):
        check_record(RecordSettings(folder=str(foreign_file.parent / "scores")), foreign_file)
    with pytest.raises(UserError, match="cannot be written: not a directory"):
        check_record(RecordSettings(folder=f"{foreign_file}/scores"), foreign_file)


def test_markup_in_foreign_text_is_printed_literally(tmp_path: Path) -> None:
    _, lines = check(tmp_path, "detect: {model: '/x:100:[bold]y[/z]'}\n")
    assert "/x:100:[bold]y[/z]" in lines["model"]
