"""`fer-edge check`: everything the daemon needs is tried once, and each line says ok or what to do."""

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
from fer_edge.errors import EXIT_FAILED, SettingsError, UserError
from fer_edge.mqtt.probe import probe as probe_broker
from fer_edge.mqtt.topics import Topics
from fer_edge.recording.recorder import scores_folder
from fer_edge.terminal import plain_text
from fer_edge.vision.analyzer import FaceAnalyzer, build_analyzer
from fer_edge.vision.delegate import describe, measure
from fer_edge.web.server import read_token

EXTRA = ("flask", "waitress")
TRIAL = bytes(4096)  # a block: a disk that is full still lets files be made


def check_preview(settings: PreviewSettings) -> str:
    """Where the page will be and who may look, in one line; nothing is served.

    Raises:
        UserError: the daemon would refuse to start with it.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"the preview needs its extra: pip install 'fer-edge[preview]' (no {', '.join(missing)})")
    token = read_token(settings)
    place = f"{settings.address}:{settings.port}"
    try:
        _listen(settings.address, settings.port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        what = "unless the daemon that runs has it, set preview.port to another"
        raise UserError(f"cannot listen on {place}: {reason}; {what}") from error
    return f"free to listen on {place}, {'with a token' if token else 'for this machine alone'}"


def _listen(address: str, port: int) -> None:
    """Takes the port for a moment."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: no wait for old connections
        probe.bind(place)


def check_record(settings: RecordSettings, state: Path) -> str:
    """Where scores are kept, in one line; nothing is left there. ``state`` is the daemon's state folder.

    Raises:
        UserError: they could not be written.
    """
    folder = scores_folder(settings, state)
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())  # / at last
    try:
        with tempfile.TemporaryFile(dir=there) as trial:  # without a name, so nothing is left whatever happens
            trial.write(TRIAL)
            trial.flush()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"record.folder: {folder} cannot be written: {reason}; name another") from error
    return f"at most {settings.max_mib:g} MiB of scores in {folder}"


def check_all(path: Path | None, console: Console, state: Path) -> int:
    """Prints a line for each part; gives the exit code: 0, 1 where something failed, 78 for the settings.

    ``state`` is the folder for what is to outlive the daemon.
    """
    try:
        settings = load_settings(path) if path else Settings()
    except SettingsError as error:
        _print(console, "settings", str(error), ok=False)
        return error.exit_code
    _print(console, "settings", str(path) if path else "all defaults, there is no config.yaml", ok=True)
    for key, sentence in without_effect(settings):
        console.print(
            Text.assemble((f"{'warning':<8}", "yellow"), f"{'settings':<10}", f"{key}: {sentence}"), soft_wrap=True
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
    """The network, what it scored, and what runs it, in one line."""
    card, runner = vision.classifier.card, vision.classifier.runner
    known = {split: scores["top1"] for split, scores in card.scores.items() if "top1" in scores}
    accuracy = "".join(f", {100 * top1:.1f} % on {split}" for split, top1 in known.items())
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
