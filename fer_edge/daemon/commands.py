"""Commands: requests over MQTT, SIGHUP, and saves of the live page."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from fer_edge.config.runtime import AppliedChange, RuntimeConfig
from fer_edge.daemon.controls import Controls
from fer_edge.errors import SettingsError, UserError
from fer_edge.homeassistant.discovery import BirthWatch
from fer_edge.mqtt.link import LogLimit
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.mqtt.requests import PAUSED, Request, RequestQueue, Verb, read_request
from fer_edge.mqtt.topics import Topics
from fer_edge.terminal import printable

logger = logging.getLogger(__name__)

ANSWER_S = 10.0  # longest wait of the page for the main thread, which serves it after every frame
REFUSAL_S = 600.0  # between two log lines about refused response topics
LONGEST_TOPIC_SHOWN = 100  # characters


class CommandQueue:
    """Changes from the live page. `submit` is called by request threads, `serve` by the main thread."""

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._changes: SimpleQueue[tuple[Mapping[str, Any], Future[None]]] = SimpleQueue()

    def submit(self, change: Mapping[str, Any]) -> None:
        """Wait until the main thread has put ``change`` in force.

        Raises:
            UserError: it has mistakes or cannot be stored, or the main thread is busy; nothing has changed.
        """
        done: Future[None] = Future()
        self._changes.put((change, done))
        try:
            done.result(self._answer_s)
        except TimeoutError as error:
            if done.cancel():
                raise UserError("the daemon is busy: nothing was saved, try again") from error
            done.result(ANSWER_S)  # in progress

    def serve(self, adopt: Callable[[Mapping[str, Any]], None]) -> None:
        """Put at most one change in force by ``adopt``."""
        try:
            change, done = self._changes.get_nowait()
        except Empty:
            return
        if not done.set_running_or_notify_cancel():
            return  # timed out
        try:
            adopt(change)
        except UserError as error:
            done.set_exception(error)
        else:
            done.set_result(None)


class CommandHandler:
    """Handlers of requests and reloads. Not thread-safe; the main thread owns it."""

    def __init__(  # noqa: PLR0913 - the parts that commands reach
        self,
        *,
        inbox: RequestQueue,
        topics: Topics,
        publisher: MqttPublisher,
        live: RuntimeConfig,
        birth: BirthWatch,
        controls: Controls,
    ) -> None:
        self._inbox = inbox
        self._topics = topics
        self._publisher = publisher
        self._live = live
        self._birth = birth
        self._controls = controls
        self._refusals = LogLimit(REFUSAL_S)
        self.mistake = ""
        """Reason why config.yaml as last read is not in force; empty if it is."""
        self._verbs: dict[str, Callable[[Request], dict[str, Any]]] = {
            Verb.PAUSE: lambda request: self._pause(paused=request.body.get(PAUSED, True)),
            Verb.RESUME: lambda _: self._pause(paused=False),
            Verb.SETTINGS: self._change,
            Verb.RELOAD: lambda _: self._reload(),
            Verb.SNAPSHOT_STATE: lambda _: self._publisher.snapshot(),
        }

    def publish_settings(self) -> None:
        """Publish the retained `settings`."""
        self._publisher.settings(self._live.table(), paused=self._live.paused)

    def serve(self, now: float) -> None:
        """Handle at most one request, so that a flood costs one per frame; ``now`` in monotonic seconds."""
        if self._birth.is_due(now):
            self._controls.reannounce()
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

    def adopt(self, change: Mapping[str, Any]) -> None:
        """Put in force what the live page saves: overrides, privacy zones among them.

        Raises:
            UserError: it has mistakes or cannot be stored; nothing has changed.
        """
        self._announce(self._live.change(change, zones=True), "settings changed on the live page", "to the same values")

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
        self._controls.health.on_request(accepted=not mistakes)
        self._publisher.response(request, mistakes, data)

    def _pause(self, *, paused: bool) -> dict[str, Any]:
        changed = paused is not self._live.paused
        kept = self._live.pause(paused=paused)
        if changed:
            self._controls.set_capturing(enabled=not paused)
            logger.info("paused: camera closed" if paused else "resumed")
            self.publish_settings()
        return {PAUSED: paused, "kept": kept}

    def _change(self, request: Request) -> dict[str, Any]:
        if request.body:
            self._announce(self._live.change(request.body), "settings changed over MQTT", "to the same values")
        return {PAUSED: self._live.paused, "settings": self._live.table()}

    def _reload(self) -> dict[str, Any]:
        """Apply changes of config.yaml since it was last read.

        Raises:
            SettingsError: it has mistakes; nothing has changed.
        """
        try:
            applied = self._live.reload()
        except SettingsError as error:
            self.mistake = "the old ones stay in force: " + str(error).splitlines()[0]
            raise
        self.mistake = ""
        self._announce(applied, "settings reloaded", "no reloadable key changed")
        return {"taken_over": applied.keys, "need_restart": applied.need_restart}

    def _announce(self, applied: AppliedChange, event: str, nothing: str) -> None:
        """Reconfigure all parts, publish `settings`, and log the change."""
        self._controls.apply()
        self.publish_settings()
        logger.info("%s: %s", event, ", ".join(applied.keys) or nothing)
        if applied.need_restart:
            logger.warning("these changes need a restart: %s", ", ".join(applied.need_restart))
