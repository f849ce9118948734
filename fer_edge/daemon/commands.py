"""Does what is asked of the device over MQTT or by a signal, and answers."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fer_edge.config.model import Settings
from fer_edge.config.runtime import LiveSettings, Taken
from fer_edge.config.writer import Draft
from fer_edge.errors import SettingsError, UserError
from fer_edge.homeassistant.discovery import Birth
from fer_edge.mqtt.inbox import Inbox
from fer_edge.mqtt.once import Seldom
from fer_edge.mqtt.publisher import Reporter
from fer_edge.mqtt.requests import PAUSED, Request, Verb, read_request
from fer_edge.mqtt.topics import Topics
from fer_edge.plain_text import printable

logger = logging.getLogger(__name__)

REFUSAL_S = 600.0  # between two lines about refused response topics
LONGEST_TOPIC_SHOWN = 100  # characters


class Attendant:
    """Not thread-safe; the main thread owns it.

    ``look`` opens the camera or closes it; ``apply`` hands settings that are in force now to whom they concern;
    ``introduce`` says everything again to a Home Assistant that has just started.
    """

    def __init__(  # noqa: PLR0913 - the parts that it attends to, by name
        self,
        *,
        inbox: Inbox,
        topics: Topics,
        reporter: Reporter,
        live: LiveSettings,
        look: Callable[[bool], None],
        apply: Callable[[Settings], None],
        birth: Birth,
        introduce: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._topics = topics
        self._reporter = reporter
        self._live = live
        self._look = look
        self._apply = apply
        self._birth = birth
        self._introduce = introduce
        self._done = self._refused = 0
        self._refusals = Seldom(REFUSAL_S)
        self.mistake = ""
        """Why config.yaml as it was last read is not in force; empty where it is."""
        self._verbs: dict[str, Callable[[Request], dict[str, Any]]] = {
            Verb.PAUSE: lambda request: self._pause(paused=request.body.get(PAUSED, True)),
            Verb.RESUME: lambda _: self._pause(paused=False),
            Verb.SETTINGS: self._change,
            Verb.RELOAD: lambda _: self._read_again(),
            Verb.SNAPSHOT_STATE: lambda _: self._reporter.snapshot(),
        }

    def figures(self) -> dict[str, int]:
        """What became of the requests since the start, for `health`."""
        return {"done": self._done, "refused": self._refused, "dropped": self._inbox.dropped}

    def tell_settings(self) -> None:
        """Publishes what can be changed, as it is."""
        self._reporter.settings(self._live.table(), paused=self._live.paused)

    def serve(self, now: float) -> None:
        """Does and answers at most one request, so that a flood costs one a frame; ``now`` in monotonic seconds."""
        if self._birth.is_due(now):
            self._introduce()
        heard = self._inbox.take(now)
        if heard is not None and heard.topic == self._birth.topic:
            self._birth.hear(heard, now)
            return
        request = None if heard is None else read_request(heard, self._topics, self._birth.prefix)
        if request is not None:
            self._complain(request, now)
            self._answer(request)

    def reload(self) -> None:
        """Reads config.yaml again, as SIGHUP asks; mistakes are named in the log and change nothing."""
        try:
            self._read_again()
        except UserError as error:
            logger.error("the old settings stay in force:\n%s", error)  # noqa: TRY400  no traceback for a user's mistake

    def adopt(self, change: Mapping[str, Any], *, draft: Draft | None) -> None:
        """Puts in force what the live page saves: ``change`` over config.yaml, which ``draft`` replaces.

        Raises:
            UserError: it has mistakes or cannot be stored; what is in force stays.
        """
        taken = self._live.change(change, draft)
        self._apply(self._live.settings)
        self.tell_settings()
        logger.info("settings changed on the live page: %s", ", ".join(taken.keys) or "to what they were")
        if draft is not None:
            self.mistake = ""
            self._warn_of(taken)

    def _complain(self, request: Request, now: float) -> None:
        """Log a response topic that is refused: somebody tries to make the device publish where it must not."""
        if request.refused_reply_to is not None:
            topic = printable(request.refused_reply_to[:LONGEST_TOPIC_SHOWN])
            if line := self._refusals.line(f"request {request.verb}: no answer on {topic!r}", now):
                logger.warning("%s: the topic is not the requester's to choose, see docs/mqtt.md", line)

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
            self._look(not paused)
            logger.info("paused: nobody is looked at" if paused else "resumed")
            self.tell_settings()
        return {PAUSED: paused, "kept": kept}

    def _change(self, request: Request) -> dict[str, Any]:
        if request.body:
            taken = self._live.change(request.body)
            self._apply(self._live.settings)
            self.tell_settings()
            logger.info("settings changed over MQTT: %s", ", ".join(taken.keys) or "to what they were")
        return {PAUSED: self._live.paused, "settings": self._live.table()}

    def _read_again(self) -> dict[str, Any]:
        """Applies what config.yaml changes since it was last read, and says so.

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
        self.tell_settings()
        logger.info("settings reloaded: %s", ", ".join(taken.keys) or "nothing to take over has changed")
        self._warn_of(taken)
        return {"taken_over": taken.keys, "need_restart": taken.need_restart}

    def _warn_of(self, taken: Taken) -> None:
        if taken.need_restart:
            logger.warning("these changes need a restart: %s", ", ".join(taken.need_restart))
