"""Commands: requests over MQTT, SIGHUP, and saves of the live page."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Protocol

import msgspec

from fer_edge.config.model import DecideSettings, Settings, Threshold, Zone
from fer_edge.config.runtime import AppliedChange, RuntimeConfig
from fer_edge.config.writer import Draft, Unwritable, drafted_decide, drafted_zones, locked
from fer_edge.errors import SettingsError, UserError
from fer_edge.homeassistant.discovery import BirthWatch
from fer_edge.mqtt.link import Seldom
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.mqtt.requests import PAUSED, Request, RequestQueue, Verb, read_request
from fer_edge.mqtt.topics import Topics
from fer_edge.terminal import printable

logger = logging.getLogger(__name__)

ANSWER_S = 10.0  # longest wait of the page for the main thread, which serves it after every frame
REFUSAL_S = 600.0  # between two log lines about refused response topics
LONGEST_TOPIC_SHOWN = 100  # characters


# Puts a change in force: what is over config.yaml from now on (null takes a section back), and config.yaml as it is to
# be, which is committed in the same step.
Adopt = Callable[[dict[str, Any], Draft | None], None]


class CommandQueue:
    """`keep` and `keep_zones` belong to the page's threads, `serve` to the main thread, which owns the settings.

    A page's thread prepares the file, which takes long; the main thread validates what will be in force, replaces the
    file and applies it, in one step. From reading to replacing the file is locked: two saves cannot lose each other.
    """

    def __init__(self, path: Path | None, adopt: Adopt, answer_s: float = ANSWER_S) -> None:
        self._path = path
        self._answer_s = answer_s
        self._saving = Lock()
        self._adopt = adopt
        self._wishes: SimpleQueue[tuple[dict[str, Any], Draft | None, Future[None]]] = SimpleQueue()

    def keep(self, decide: DecideSettings, before: DecideSettings) -> str:
        """Where ``decide`` is kept now; it is in force when this returns. ``before`` is what was.

        Raises:
            UserError: the file holds mistakes, or nothing can be stored; nothing has changed.
        """
        if self._path is None:
            self._wish(over(decide, before), None)
            return "memory only: there is no config.yaml"
        try:
            with self._saving, locked(self._path):
                # What was over the file before would hide it.
                self._wish({"decide": None}, drafted_decide(self._path, decide))
        except Unwritable as error:
            self._wish(over(decide, before), None)
            return f"the changes at run time, which lie over config.yaml ({error})"
        return str(self._path)

    def keep_zones(self, zones: tuple[Zone, ...]) -> str:
        """Where blackout zones are kept now; they are in force when the daemon starts again.

        Raises:
            UserError: nothing was saved; where the file may not be written, with the words to put into it by hand.
        """
        if self._path is None:
            raise UserError("there is no config.yaml to save zones to: start fer-edge with --config FILE")
        try:
            with self._saving, locked(self._path):
                drafted_zones(self._path, zones).commit()
        except Unwritable as error:
            line = msgspec.json.encode({"zones": zones}).decode()
            raise UserError(f"{error}; put this into it by hand: privacy: {line}") from error
        return str(self._path)

    def serve(self) -> None:
        """Takes over what was saved since the last call."""
        try:
            change, draft, done = self._wishes.get_nowait()
        except Empty:
            return
        if not done.set_running_or_notify_cancel():
            return  # the page has given up
        try:
            self._adopt(change, draft)
        except UserError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _wish(self, change: dict[str, Any], draft: Draft | None) -> None:
        done: Future[None] = Future()
        self._wishes.put((change, draft, done))
        try:
            done.result(self._answer_s)
        except TimeoutError as error:
            if done.cancel():
                raise UserError("the daemon does not answer just now: nothing was saved, try again") from error
            done.result(ANSWER_S)  # it is at it


def over(decide: DecideSettings, before: DecideSettings) -> dict[str, Any]:
    """``decide`` as a change that leads there from whatever the file says.

    An expression that has thresholds of its own on either side is given them outright: null would let the file's back.
    """
    values: dict[str, Any] = msgspec.to_builtins(decide)
    values["emotions"] = {}
    for name in sorted({*decide.emotions, *before.emotions}):
        own = decide.emotions.get(name, Threshold())
        values["emotions"][name] = {
            "enter": decide.enter if own.enter is None else own.enter,
            "leave": decide.leave if own.leave is None else own.leave,
        }
    return {"decide": values}


class SetCapturing(Protocol):
    """Open or close the camera."""

    def __call__(self, *, enabled: bool) -> None: ...


class CommandHandler:
    """Handlers of requests and reloads. Not thread-safe; the main thread owns it.

    ``set_capturing`` opens or closes the camera; ``apply`` reconfigures all parts; ``reannounce`` publishes discovery
    and retained messages again for a Home Assistant that has just started.
    """

    def __init__(  # noqa: PLR0913 - the parts that commands reach
        self,
        *,
        inbox: RequestQueue,
        topics: Topics,
        reporter: MqttPublisher,
        live: RuntimeConfig,
        set_capturing: SetCapturing,
        apply: Callable[[Settings], None],
        birth: BirthWatch,
        reannounce: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._topics = topics
        self._reporter = reporter
        self._live = live
        self._set_capturing = set_capturing
        self._apply = apply
        self._birth = birth
        self._reannounce = reannounce
        self._done = self._refused = 0
        self._refusals = Seldom(REFUSAL_S)
        self.mistake = ""
        """Why config.yaml as last read is not in force; empty where it is."""
        self._verbs: dict[str, Callable[[Request], dict[str, Any]]] = {
            Verb.PAUSE: lambda request: self._pause(paused=request.body.get(PAUSED, True)),
            Verb.RESUME: lambda _: self._pause(paused=False),
            Verb.SETTINGS: self._change,
            Verb.RELOAD: lambda _: self._reload(),
            Verb.SNAPSHOT_STATE: lambda _: self._reporter.snapshot(),
        }

    def counts(self) -> dict[str, int]:
        """Return the counts of requests since the start, for `health`."""
        return {"done": self._done, "refused": self._refused, "dropped": self._inbox.dropped}

    def publish_settings(self) -> None:
        """Publish the retained `settings`."""
        self._reporter.settings(self._live.table(), paused=self._live.paused)

    def serve(self, now: float) -> None:
        """Handle at most one request, so that a flood costs one per frame; ``now`` in monotonic seconds."""
        if self._birth.is_due(now):
            self._reannounce()
        message = self._inbox.take(now)
        if message is not None and message.topic == self._birth.topic:
            self._birth.receive(message, now)
            return
        request = None if message is None else read_request(message, self._topics, self._birth.prefix)
        if request is not None:
            self._log_refused_topic(request, now)
            self._answer(request)

    def reload(self) -> None:
        """Reload config.yaml, for SIGHUP; a mistake is logged and changes nothing."""
        try:
            self._reload()
        except UserError as error:
            logger.error("the old settings stay in force:\n%s", error)  # noqa: TRY400  no traceback for a user's mistake

    def adopt(self, change: Mapping[str, Any], *, draft: Draft | None) -> None:
        """Puts in force what the live page saves: ``change`` over config.yaml, which ``draft`` replaces.

        Raises:
            UserError: it has mistakes or cannot be stored; what is in force stays.
        """
        taken = self._live.change(change, draft)
        self._apply(self._live.settings)
        self.publish_settings()
        logger.info("settings changed on the live page: %s", ", ".join(taken.keys) or "to the same values")
        if draft is not None:
            self.mistake = ""
            self._warn_of_restart(taken)

    def _log_refused_topic(self, request: Request, now: float) -> None:
        """Log a refused response topic: a requester may not make the device publish anywhere."""
        if request.refused_reply_to is not None:
            topic = printable(request.refused_reply_to[:LONGEST_TOPIC_SHOWN])
            if line := self._refusals.line(f"request {request.verb}: no answer on {topic!r}", now):
                logger.warning("%s: response topic not allowed, see docs/mqtt.md", line)

    def _answer(self, request: Request) -> None:
        mistakes, data = list(request.mistakes), None
        if not mistakes:
            try:
                data = self._verbs[request.verb](request)
            except UserError as error:
                mistakes = str(error).splitlines()
        self._done += not mistakes
        self._refused += bool(mistakes)
        self._reporter.response(request, mistakes, data)

    def _pause(self, *, paused: bool) -> dict[str, Any]:
        changed = paused is not self._live.paused
        kept = self._live.pause(paused=paused)
        if changed:
            self._set_capturing(enabled=not paused)
            logger.info("paused: camera closed" if paused else "resumed")
            self.publish_settings()
        return {PAUSED: paused, "kept": kept}

    def _change(self, request: Request) -> dict[str, Any]:
        if request.body:
            taken = self._live.change(request.body)
            self._apply(self._live.settings)
            self.publish_settings()
            logger.info("settings changed over MQTT: %s", ", ".join(taken.keys) or "to the same values")
        return {PAUSED: self._live.paused, "settings": self._live.table()}

    def _reload(self) -> dict[str, Any]:
        """Apply changes of config.yaml since it was last read.

        Raises:
            SettingsError: it has mistakes; nothing has changed.
        """
        try:
            taken = self._live.reload()
        except SettingsError as error:
            self.mistake = "the old ones stay in force: " + str(error).splitlines()[0]
            raise
        self.mistake = ""
        self._apply(self._live.settings)
        self.publish_settings()
        logger.info("settings reloaded: %s", ", ".join(taken.keys) or "no reloadable key changed")
        self._warn_of_restart(taken)
        return {"taken_over": taken.keys, "need_restart": taken.need_restart}

    def _warn_of_restart(self, taken: AppliedChange) -> None:
        if taken.need_restart:
            logger.warning("these changes need a restart: %s", ", ".join(taken.need_restart))
