"""`fer-edge check`: try all parts of the daemon once and report OK or a suggested fix for each."""

import importlib.util
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fer_edge.capture.probe import probe as probe_camera
from fer_edge.config.loader import load_settings
from fer_edge.config.model import PreviewSettings, RecordSettings, Settings
from fer_edge.config.rules import without_effect
from fer_edge.errors import EXIT_FAILED, SettingsError, UserError, os_reason
from fer_edge.mqtt.probe import probe as probe_broker
from fer_edge.mqtt.topics import Topics
from fer_edge.recording.recorder import scores_folder
from fer_edge.terminal import plain_text
from fer_edge.vision.analyzer import FaceAnalyzer, build_analyzer
from fer_edge.vision.delegate import describe, measure
from fer_edge.web.server import read_token

EXTRA = ("flask", "waitress")
TRIAL = bytes(4096)  # one block: files can still be created on a full disk


def check_preview(settings: PreviewSettings) -> str:
    """Check the live page's port and token without serving; return one line.

    Raises:
        UserError: the daemon would not start with these settings.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"the preview needs its extra: pip install 'fer-edge[preview]' (no {', '.join(missing)})")
    token = read_token(settings)
    place = f"{settings.address}:{settings.port}"
    try:
        _listen(settings.address, settings.port)
    except OSError as error:
        reason = os_reason(error)
        hint = "if no running daemon uses it, change preview.port"
        raise UserError(f"cannot listen on {place}: {reason}; {hint}") from error
    return f"free to listen on {place}, {'with a token' if token else 'from this machine only'}"


def _listen(address: str, port: int) -> None:
    """Bind the port once."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does, for connections in TIME_WAIT
        probe.bind(place)


def check_record(settings: RecordSettings, state: Path) -> str:
    """Check that scores can be written; return one line. Leaves no file. ``state`` is the daemon's state folder.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = scores_folder(settings, state)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as trial:  # has no name, so it cannot stay behind
            trial.write(TRIAL)
            trial.flush()
    except OSError as error:
        reason = os_reason(error)
        raise UserError(f"record.folder: {folder} cannot be written: {reason}; set another folder") from error
    return f"at most {settings.max_mib:g} MiB of scores in {folder}"


def check_all(path: Path | None, console: Console, state: Path) -> int:
    """Print a line for each part; return the exit code: 0, 1 if a part failed, 78 for wrong settings.

    ``state`` is the daemon's state folder.
    """
    try:
        settings = load_settings(path) if path else Settings()
    except SettingsError as error:
        _print(console, "settings", str(error), ok=False)
        return error.exit_code
    _print(console, "settings", str(path) if path else "defaults, no config.yaml found", ok=True)
    for key, text in without_effect(settings):
        console.print(
            Text.assemble((f"{'warning':<8}", "yellow"), f"{'settings':<10}", f"{key}: {text}"), soft_wrap=True
        )
    parts: list[tuple[str, Callable[[], str]]] = [
        ("model", lambda: describe_vision(build_analyzer(settings))),
        ("camera", lambda: probe_camera(settings.camera)),
        ("broker", lambda: _check_broker(settings)),
    ]
    if settings.preview.enabled:
        parts.append(("preview", lambda: check_preview(settings.preview)))
    if settings.record.enabled:
        parts.append(("record", lambda: check_record(settings.record, state)))
    codes = [_try(console, name, part) for name, part in parts]
    return max(codes)


def _check_broker(settings: Settings) -> str:
    topics = Topics(settings.mqtt.prefix, settings.device or socket.gethostname())
    birth = (f"{settings.home_assistant.prefix}/status",) if settings.home_assistant.discovery else ()
    return probe_broker(settings.mqtt, topics, (topics.requests, *birth))


def describe_vision(vision: FaceAnalyzer) -> str:
    """Return one line about the network, its accuracy, its runtime and the detector."""
    card, runner = vision.classifier.card, vision.classifier.interpreter
    known = {split: scores["top1"] for split, scores in card.scores.items() if "top1" in scores}
    accuracy = "".join(f", {100 * top1:.1f}% on {split}" for split, top1 in known.items())
    kernels = describe(measure(runner))
    return f"{card.name} ({card.short_hash}){accuracy}; {runner.runtime}: {kernels}; detector {vision.detector.name}"


def _try(console: Console, name: str, part: Callable[[], str]) -> int:
    try:
        line = part()
    except UserError as error:
        _print(console, name, str(error), ok=False)
        return max(error.exit_code, EXIT_FAILED)
    _print(console, name, line, ok=True)
    return 0


def _print(console: Console, name: str, text: str, *, ok: bool) -> None:
    word, style = ("ok", "green") if ok else ("failed", "bold red")
    for line in text.split("\n"):
        console.print(Text.assemble((f"{word:<8}", style), f"{name:<10}", plain_text(line)), soft_wrap=True)
