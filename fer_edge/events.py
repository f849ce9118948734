"""`fer-edge events`: what a subscriber receives, as lines for people or as JSON lines, and whether all of it came."""

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from fer_edge.config import MqttSettings
from fer_edge.deliver.audit import Audit
from fer_edge.deliver.describe import describe
from fer_edge.deliver.recorded import read_events
from fer_edge.deliver.subscription import Heard, Subscription
from fer_edge.deliver.topics import Topics
from fer_edge.deliver.trouble import Trouble
from fer_edge.errors import EXIT_FAILED, UserError

logger = logging.getLogger(__name__)

STYLES = {"event": "bold", "state": "cyan", "health": "dim", "info": "dim", "availability": "green"}
EVENT_STYLES = {
    "face_appeared": "bold green",
    "emotion_changed": "bold yellow",
    "face_gone": "bold red",
    "gap": "bold magenta",
}
LOOK_S = 0.25  # how often the end is looked for while nothing arrives


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be shown, and until when."""

    everything: bool = False  # state, health and the rest as well
    as_json: bool = False
    audit: bool = False
    from_start: bool = False  # every boot must begin at 1
    for_s: float = float("inf")
    count: int | None = None  # events


class Printer:
    """Writes what arrived: a line for a person, or the JSON as it came."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json

    def show(self, kind: str, payload: dict[str, Any] | str, device: str | None = None) -> None:
        """``kind`` is the last part of the topic; ``device`` is said where several are listened to."""
        if self._as_json:
            whole = payload if kind == "event" else {"topic": kind, "payload": payload}
            self._console.out(msgspec.json.encode(whole).decode(), highlight=False)
            return
        style = STYLES.get(kind, "")
        if kind == "event" and isinstance(payload, dict):
            style = EVENT_STYLES.get(str(payload.get("event_type")), style)
        now = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        head = f"{device:<12}  " if device else ""
        line = Text.assemble((f"{now}  ", "dim"), head, (f"{kind:<12}  ", style), (_describe(kind, payload), style))
        self._console.print(line, soft_wrap=True)


def read_recorded(paths: Iterable[Path], wish: Wish, console: Console) -> int:
    """Shows the events of recorded files, or judges them; gives the exit code.

    Raises:
        UserError: a file cannot be read.
    """
    audit, printer = Audit(from_start=wish.from_start), Printer(console, as_json=wish.as_json)
    for path in paths:
        for event in read_events(path):
            if isinstance(event, str):
                audit.unreadable(event)
            else:
                audit.take(event)
                if not wish.audit:
                    printer.show("event", event)
    return verdict(audit, console) if wish.audit else _complain(audit, console)


def follow(settings: MqttSettings, device: str, wish: Wish, console: Console, complaints: Console) -> int:
    """Listens until Ctrl-C, or for as long or as many events as wished, and judges if wished; gives the exit code.

    ``device`` may be `+`, all devices. Troubles of the link go to ``complaints``, standard error.

    Raises:
        UserError: the broker cannot be reached or refuses, at the start.
    """
    audit, printer = Audit(from_start=wish.from_start), Printer(console, as_json=wish.as_json)
    topics = Topics(settings.prefix, device)
    wanted = topics.published if wish.everything else (topics.event,)
    try:
        with Subscription(settings, device, wanted) as subscription:
            complaints.print(f"listening to {', '.join(wanted)}", style="dim", soft_wrap=True)
            for heard in _heard(subscription, wish.for_s, complaints):
                take(heard, audit, printer, all_devices=device == "+")
                if wish.count is not None and audit.events >= wish.count:
                    break
    except Trouble as why:
        raise UserError(str(why)) from why
    except KeyboardInterrupt:
        pass  # the usual way to end it; the verdict follows
    return verdict(audit, complaints if wish.as_json else console) if wish.audit else 0


def take(heard: Heard, audit: Audit, printer: Printer, *, all_devices: bool) -> None:
    """Shows one message, and has it judged where it is an event."""
    *_, device, kind = heard.topic.split("/")
    payload = _decode(heard.payload)
    if kind == "event":
        if isinstance(payload, dict):
            audit.take(payload)
        else:
            audit.unreadable(f"not JSON on {heard.topic}: {payload[:80]!r}")
    printer.show(kind, payload, device if all_devices else None)


def verdict(audit: Audit, console: Console) -> int:
    """Prints a line a boot and the verdict; 0 where nothing is missing, double or altered, 1 where something is."""
    for one in audit.reports():
        doubles = f", {one.doubles} doubles of the same id" if one.doubles else ""
        announced = f", {one.announced} announced as missing ({', '.join(one.reasons)})" if one.announced else ""
        there = f", {one.open_faces} faces still there" if one.open_faces else ""
        line = f"{one.device} {one.boot}: events {one.first} to {one.last}, {one.received} received{announced}{doubles}"
        console.print(line + there, soft_wrap=True, highlight=False)
    problems = audit.problems()
    for problem in problems:
        console.print(f"problem: {problem}", style="red", soft_wrap=True, highlight=False)
    if problems:
        console.print(f"FAILED: {len(problems)} problems in {audit.events} messages", style="bold red", highlight=False)
    elif not audit.events:
        console.print("FAILED: no event came, so nothing is proven", style="bold red", highlight=False)
    else:
        console.print(f"ok: {audit.events} messages, nothing is missing unannounced", style="green", highlight=False)
    return EXIT_FAILED if problems or not audit.events else 0


def _heard(subscription: Subscription, for_s: float, complaints: Console) -> Iterator[Heard]:
    """What arrives within ``for_s``; a link that breaks is said, and made again for as long as it takes."""
    ends_at = time.monotonic() + for_s
    while (left_s := ends_at - time.monotonic()) > 0:
        try:
            yield from subscription.listen(min(left_s, LOOK_S))
        except Trouble as why:
            complaints.print(f"{why}; trying again", style="yellow", soft_wrap=True)
            while time.monotonic() < ends_at and not subscription.again():
                pass


def _decode(payload: bytes) -> dict[str, Any] | str:
    try:
        value = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return payload.decode(errors="replace")
    return value if isinstance(value, dict) else payload.decode()


def _describe(kind: str, payload: dict[str, Any] | str) -> str:
    try:
        return describe(kind, payload)
    except (KeyError, TypeError, ValueError):  # of another version: better as it came than not at all
        return str(payload)


def _complain(audit: Audit, console: Console) -> int:
    """Names the lines that were no events; without an audit nothing else is judged."""
    wrong = audit.unreadables
    for line in wrong:
        console.print(f"problem: {line}", style="red", soft_wrap=True, highlight=False)
    return EXIT_FAILED if wrong else 0
