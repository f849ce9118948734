"""`fer-edge check`: everything the daemon needs is tried once, and each line says ok or what to do."""

import socket
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fer_edge.capture.probe import probe as probe_camera
from fer_edge.cli.check_preview import check_preview
from fer_edge.cli.check_record import check_record
from fer_edge.config.loader import load_settings
from fer_edge.config.model import Settings
from fer_edge.config.rules import without_effect
from fer_edge.errors import EXIT_FAILED, SettingsError, UserError
from fer_edge.mqtt.probe import probe as probe_broker
from fer_edge.mqtt.topics import Topics
from fer_edge.plain_text import plain_text
from fer_edge.vision.analyzer import Vision, build_vision
from fer_edge.vision.delegate import describe, measure


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
        ("model", lambda: describe_vision(build_vision(settings))),
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


def describe_vision(vision: Vision) -> str:
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
