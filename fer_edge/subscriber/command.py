"""`fer-edge events`: show received or recorded messages as text or JSON, and audit the events."""

import errno
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from fer_edge.config.model import MqttSettings
from fer_edge.errors import EXIT_FAILED, UserError
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.client import ReceivedMessage, Subscriber
from fer_edge.subscriber.format import describe, time_before
from fer_edge.terminal import json_text, plain_text
from fer_edge.untrusted import DecodeError, decode_object

logger = logging.getLogger(__name__)

EVENT = "event"
VIDEO = "video"  # an event written by `fer-edge video`, with a time in its video; never published
MAX_LINE_BYTES = 1 << 20  # an event has about 600
MAX_LEVELS = 20  # nested objects and lists; a message of the daemon has six
MAX_INVALID_LINES = 1000  # from the start of a file, after which it is rejected
STYLES = {"event": "bold", "state": "cyan", "health": "dim", "info": "dim", "availability": "green"}
EVENT_STYLES = {
    "face_appeared": "bold green",
    "emotion_changed": "bold yellow",
    "face_gone": "bold red",
    "gap": "bold magenta",
}
WITHOUT_TOPIC = (EVENT, VIDEO)  # printed as the plain payload in JSON; others with their topic
ALL_DEVICES = "+"  # MQTT's wildcard
POLL_S = 0.25  # interval at which the end is checked while nothing arrives


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a file: ``kind`` is the last part of its topic, or `video`."""

    kind: str
    payload: dict[str, Any] | str
    device: str | None


def read_recording(path: Path) -> Iterator[Recorded | str]:
    """Read the lines of a file or pipe in order; for an invalid line yield a sentence that names it.

    Empty lines are skipped. A file without any valid line yields one sentence. Reading ends at a line of more than
    ``MAX_LINE_BYTES``.

    Raises:
        UserError: the file cannot be read, or is neither a regular file nor a pipe.
    """
    invalid: list[str] = []  # sentences about lines before the first valid one
    has_valid = False
    try:
        with _open(path) as file:
            for number, line in _lines(file):
                recorded = _parse(line)
                if recorded is None:
                    rest = "; the rest is not read" if len(line) > MAX_LINE_BYTES else ""
                    invalid.append(f"{path}:{number}: not a JSON object with an id{rest}")
                    if not has_valid and len(invalid) == MAX_INVALID_LINES:
                        break
                else:
                    has_valid = True
                if has_valid:
                    yield from invalid
                    invalid.clear()
                if recorded is not None:
                    yield recorded
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if invalid:
        yield f"{path}: not a recording of events: none of its first {len(invalid)} lines is a JSON object with an id"


def _open(path: Path) -> BinaryIO:
    """Open a regular file or a pipe; a device would have no end."""
    file = path.open("rb")
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "neither a regular file nor a pipe", str(path))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty with their numbers, up to the first of more than ``MAX_LINE_BYTES``."""
    for number in count(1):
        line = file.readline(MAX_LINE_BYTES + 1)
        if line.strip():
            yield number, line
        if not line or len(line) > MAX_LINE_BYTES:
            return


def _parse(line: bytes) -> Recorded | None:
    try:
        value = decode_object(line, MAX_LEVELS)
    except DecodeError:
        return None
    match value:
        case {"id": str()}:
            return Recorded(EVENT, value, _text(value.get("device")))
        case {"topic": str() as kind, "payload": dict() | str() as payload}:  # of `fer-edge events --json --all`
            device = payload.get("device") if isinstance(payload, dict) else None
            return Recorded(kind, payload, _text(value.get("device", device)))
        case {"event_type": str(), "at_s": int() | float()}:
            return Recorded(VIDEO, value, None)
        case _:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class EventsOptions(Struct, frozen=True, kw_only=True):
    """Options of `fer-edge events`."""

    everything: bool = False  # also state, health and the rest
    as_json: bool = False
    audit: bool = False
    from_start: bool = False  # every run must begin at 1
    for_s: float = float("inf")
    count: int | None = None  # events


class Printer:
    """Prints messages as text, or as JSON unchanged."""

    def __init__(self, console: Console, *, as_json: bool, live: bool = True) -> None:
        self._console = console
        self._as_json = as_json
        self._live = live

    def show(self, kind: str, payload: dict[str, Any] | str, device: str | None = None) -> None:
        """Print a message; ``kind`` is the last part of the topic, ``device`` is shown if several are subscribed to."""
        if self._as_json:
            source = {"device": device} if device else {}
            printed = payload if kind in WITHOUT_TOPIC else {"topic": kind, **source, "payload": payload}
            self._console.out(json_text(printed), highlight=False)
            return
        style = STYLES.get(kind, "")
        if kind in WITHOUT_TOPIC and isinstance(payload, dict):
            style = EVENT_STYLES.get(str(payload.get("event_type")), style)
        when = time_before(payload, datetime.now().astimezone(), live=self._live)
        head = "" if device is None else f"{device:<12}  "
        text = plain_text(f"{head}{kind:<12}  {_describe(kind, payload)}", style)
        self._console.print(Text.assemble((f"{when}  ", "dim"), text), soft_wrap=True)


def follow(settings: MqttSettings, device: str, options: EventsOptions, console: Console, errors: Console) -> int:
    """Print messages until Ctrl-C, or up to a duration or count, and audit them if requested; return the exit code.

    ``device`` may be `+`, all devices. Connection errors go to ``errors``, standard error.

    Raises:
        UserError: at the start: the broker cannot be reached, or rejects it.
    """
    audit, printer = Audit(from_start=options.from_start), Printer(console, as_json=options.as_json)
    topics = Topics(settings.prefix, device)
    wanted = topics.published if options.everything else (topics.event,)
    try:
        with Subscriber(settings, device, wanted) as subscription:
            errors.print(plain_text(f"subscribed to {', '.join(wanted)}", "dim"), soft_wrap=True)
            for message in _receive(subscription, options.for_s, errors):
                take(message, audit, printer, all_devices=device == ALL_DEVICES)
                if options.count is not None and audit.events >= options.count:
                    break
    except BrokerError as error:
        raise UserError(str(error)) from error
    except KeyboardInterrupt:  # Ctrl-C, or SIGTERM from the command line
        pass  # the usual end; the verdict follows
    return verdict(audit, errors if options.as_json else console) if options.audit else 0


def take(message: ReceivedMessage, audit: Audit, printer: Printer, *, all_devices: bool) -> None:
    """Print one message, and audit it if it is an event."""
    *_, device, kind = ["", *message.topic.split("/")]
    payload = _decode(message.payload)
    if kind == EVENT:
        if isinstance(payload, dict):
            audit.take(payload)
        else:
            audit.unreadable(f"not JSON on {message.topic}: {payload[:80]!r}")
    printer.show(kind, payload, device if all_devices else None)


def verdict(audit: Audit, console: Console) -> int:
    """Print one line per run and the verdict; return 0 if no events were lost, altered or reordered, else 1."""
    for one in audit.reports():
        doubles = f", {one.doubles} duplicates" if one.doubles else ""
        announced = f", {one.announced} announced as missing ({', '.join(one.reasons)})" if one.announced else ""
        there = f", {one.open_faces} faces still visible" if one.open_faces else ""
        line = f"{one.device} {one.boot}: events {one.first} to {one.last}, {one.received} received{announced}{doubles}"
        console.print(plain_text(line + there), soft_wrap=True)
    problems = audit.problems()
    for problem in problems:
        console.print(plain_text(f"problem: {problem}", "red"), soft_wrap=True)
    if problems:
        console.print(f"FAILED: {len(problems)} problems in {audit.events} messages", style="bold red", highlight=False)
    elif not audit.events:
        console.print("FAILED: no events received", style="bold red", highlight=False)
    else:
        console.print(f"ok: {audit.events} messages, nothing lost unannounced", style="green", highlight=False)
    return EXIT_FAILED if problems or not audit.events else 0


def _receive(subscription: Subscriber, for_s: float, errors: Console) -> Iterator[ReceivedMessage]:
    """Yield what arrives within ``for_s``; report a broken link and reconnect."""
    ends_at = time.monotonic() + for_s
    while (left_s := ends_at - time.monotonic()) > 0:
        try:
            yield from subscription.receive(min(left_s, POLL_S))
            for line in subscription.dropped():
                errors.print(plain_text(line, "yellow"), soft_wrap=True)
        except BrokerError as error:
            if error.too_large:  # it would arrive again after each connect
                raise
            errors.print(plain_text(f"{error}; retrying", "yellow"), soft_wrap=True)
            while time.monotonic() < ends_at and not subscription.reconnect():
                pass


def _decode(payload: bytes) -> dict[str, Any] | str:
    try:
        return decode_object(payload, MAX_LEVELS)
    except DecodeError:
        return payload.decode(errors="replace")


def _describe(kind: str, payload: dict[str, Any] | str) -> str:
    try:
        return describe(EVENT if kind in WITHOUT_TOPIC else kind, payload)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return str(payload)  # of another version


def read_recorded(paths: Iterable[Path], device: str | None, options: EventsOptions, console: Console) -> int:
    """Print the recorded messages of ``device`` (None: any), or audit its events; return the exit code.

    Raises:
        UserError: a file cannot be read.
    """
    audit, printer = Audit(from_start=options.from_start), Printer(console, as_json=options.as_json, live=False)
    events = 0
    videos: set[Path] = set()
    for path, line in _lines_of(paths, device):
        if isinstance(line, str):
            audit.unreadable(line)
            continue
        if line.kind == EVENT and isinstance(line.payload, dict):
            audit.take(line.payload)
        if not options.audit:
            printer.show(line.kind, line.payload, line.device or "" if device == ALL_DEVICES else None)
        elif line.kind == VIDEO and path not in videos:
            videos.add(path)
            audit.unreadable(f"{path}: events of `fer-edge video` were never published: nothing to audit")
        events += line.kind in (EVENT, VIDEO)
        if events == options.count:
            break
    return verdict(audit, console) if options.audit else _report_invalid(audit, console)


def _lines_of(paths: Iterable[Path], device: str | None) -> Iterator[tuple[Path, Recorded | str]]:
    """Yield the lines of ``device`` of each file; a line without a device belongs to any."""
    for path in paths:
        for line in read_recording(path):
            if isinstance(line, str) or device in (None, ALL_DEVICES, line.device) or line.device is None:
                yield path, line


def _report_invalid(audit: Audit, console: Console) -> int:
    """Print the lines that are not events; return the exit code."""
    for line in audit.unreadables:
        console.print(plain_text(f"problem: {line}", "red"), soft_wrap=True)
    return EXIT_FAILED if audit.unreadables else 0
