"""The link to the broker: its own thread connects, sends what the outbox holds, and tries again for ever.

The main thread never waits for the network: it puts messages into the outbox, and rings a bell. Whatever ends the
link's thread other than being told to is raised in the main thread by `check`.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from fer_edge.backoff import Backoff
from fer_edge.config.model import MqttSettings
from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.capabilities import Abilities, Learned, find_missing
from fer_edge.mqtt.connect import Timeouts, Version, Versions, broker_of, is_acknowledged, open_session
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.messages import OFFLINE, ONLINE, availability
from fer_edge.mqtt.outbox import InFlight, Outbox, QueueCounts, Wakeup
from fer_edge.mqtt.requests import Subscription
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message

if TYPE_CHECKING:
    from fer_edge.mqtt.session import Answer, Session

logger = logging.getLogger(__name__)

LONGEST_NAP_S = 1.0  # keepalive and late acknowledgements are looked at this often when nothing happens
# What takes longer hangs for good. Connecting: a resolver that gives up after 30 s, four addresses, two versions.
STEP_LIMIT_S = 30.0
CONNECT_LIMIT_S = 120.0
OFFLINE_KEY = 0  # the outbox counts its keys from 1
MALFORMED_S = 600.0  # between two lines about packets that could not be parsed


class ConnectionChange(Enum):
    """What is worth a line."""

    NOTHING = 0
    UP = 1
    DOWN = 2


class ConnectionLog:
    """Decides whether news of the link are news. Not thread-safe; the link's thread owns it.

    A link that ends for the same reason within ``steady_s`` of its start is flapping, as when two daemons throw each
    other out: that is said once, and the next thing said is that the link has been steady.
    """

    def __init__(self, steady_s: float) -> None:
        self._steady_s = steady_s
        self._reason: str | None = None  # the last that was said
        self._up_since: float | None = None
        self._said_up = False
        self._flapping = False

    def up(self, now: float) -> ConnectionChange:
        """A link is there."""
        self._up_since = now
        self._said_up = not self._flapping
        return ConnectionChange.UP if self._said_up else ConnectionChange.NOTHING

    def down(self, reason: str, now: float) -> ConnectionChange:
        """There is none, or none any more."""
        was_steady = self.steady(now)
        self._flapping = self._up_since is not None and not was_steady and reason == self._reason
        repeated = reason == self._reason and not was_steady
        self._reason, self._up_since = reason, None
        return ConnectionChange.NOTHING if repeated else ConnectionChange.DOWN

    def steady(self, now: float) -> bool:
        """Whether the link has lasted."""
        return self._up_since is not None and now - self._up_since >= self._steady_s

    def tick(self, now: float) -> ConnectionChange:
        """Time passes while the link is there."""
        if self._said_up or not self.steady(now):
            return ConnectionChange.NOTHING
        self._said_up, self._flapping = True, False
        return ConnectionChange.UP


class Seldom:
    """A limit for lines about what others cause as often as they like. Not thread-safe.

    The first is due at once, then one each ``interval_s``, with the number of those between.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_at = float("-inf")
        self._skipped = 0

    def line(self, text: str, now: float) -> str | None:
        """Return the line to log at ``now`` (seconds, monotonic); None where it is too early for one."""
        if now < self._due_at:
            self._skipped += 1
            return None
        more = f" ({self._skipped} more like it since the last one)" if self._skipped else ""
        self._due_at, self._skipped = now + self._interval_s, 0
        return text + more


class LinkState(msgspec.Struct, frozen=True):
    """How the link is, for `health` and for people."""

    connected: bool
    tried: bool  # the first attempt is over, whatever came of it
    protocol: Version | None  # None without a link
    text: str  # one line
    connects: int  # since the start
    outbox: QueueCounts


class _Status(msgspec.Struct, frozen=True):
    text: str
    protocol: Version | None = None
    retry_at: float | None = None  # seconds, monotonic


class Link:
    """`start` to `stop` are the main thread's; `_run` and what it calls are the link thread's.

    ``random`` gives 0 to 1 for the jitter of waits; ``listening`` is what is subscribed to, nothing without it.

    Raises:
        SettingsError: a password or certificate file that the settings name cannot be used.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
        self,
        settings: MqttSettings,
        topics: Topics,
        outbox: Outbox,
        random: Callable[[], float],
        *,
        patience: Timeouts | None = None,
        listening: Subscription | None = None,
    ) -> None:
        load_credentials(settings)
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._listening = listening
        self._patience = patience or Timeouts()
        self._broker = broker_of(settings, topics.device)
        self._versions = Versions(settings.protocol)
        self._backoff = Backoff(self._patience.first_retry_s, settings.reconnect_max_s, random)
        self._once = ConnectionLog(self._patience.steady_s)
        self._refused_topics: set[str] = set()
        self._learned = Learned()
        self._lost = ""  # what the broker lacks, as it was last logged
        self._deaf_until = float("-inf")  # seconds, monotonic: without requests until then
        self._malformed = Seldom(MALFORMED_S)
        self._bell = Wakeup()
        self._stopping = threading.Event()
        self._stop_by = float("inf")  # seconds, monotonic; written before _stopping is set
        self._status = _Status(f"connecting to {self._broker}")  # replaced as a whole, so that no lock is needed
        self._connects = 0
        self._said_goodbye = False
        self._failure: BaseException | None = None
        self._deadline = time.monotonic() + CONNECT_LIMIT_S
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Begins to connect, in the background."""
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Hands a message over and returns at once: an event waits in line, what is retained is the newest of its
        topic, anything else is sent once. After `stop` nobody sends it any more.
        """
        if message.seq is not None:
            self._outbox.put(message, time.monotonic())
        elif message.retain:
            self._outbox.retain(message)
        else:
            self._outbox.post(message, time.monotonic())
        self._bell.ring()

    def repeat(self, topics: Sequence[str]) -> None:
        """Sends once more what is retained of ``topics``."""
        self._outbox.repeat(topics)
        self._bell.ring()

    def state(self, now: float) -> LinkState:
        """How things are at ``now`` (seconds, monotonic)."""
        status = self._status
        text = status.text
        if status.retry_at is not None:
            text += f"; next attempt in {max(0.0, status.retry_at - now):.0f} s"
        tried = status.protocol is not None or status.retry_at is not None
        return LinkState(
            status.protocol is not None, tried, status.protocol, text, self._connects, self._outbox.tally()
        )

    @property
    def deadline(self) -> float:
        """Until when, monotonic seconds, the link's thread has shown progress or hangs."""
        return self._deadline

    def check(self) -> None:
        """Raises here what ended the link's thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout_s: float) -> bool:
        """Sends what is left, says `offline`, waits until the broker has it, hangs up; all within ``timeout_s``.

        Returns:
            Whether the broker acknowledged everything. Where it did not hear `offline`, the last will speaks.
        """
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._bell.ring()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._bell.close()
        return self._said_goodbye and not self._outbox.tally().depth

    def wake(self) -> None:
        """Something may be due that was not before; any thread may say so."""
        self._bell.ring()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._serve(self._connect())
                except BrokerError as why:
                    self._learn(why)
                    self._down(str(why))
        except BaseException as error:  # noqa: BLE001 - a thread may not die quietly: `check` raises it in the main thread
            self._failure = error
            self._status = _Status(f"the link has failed: {error!r}")

    def _connect(self) -> "Session":
        session = self._open()
        if self._versions.is_new_fallback(session.version, time.monotonic()):
            session.end()
            session = self._open()  # a fallback is kept only if MQTT 5 fails twice
        self._versions.answered(session.version, time.monotonic())
        return session

    def _open(self) -> "Session":
        self._set_deadline(CONNECT_LIMIT_S)
        will = availability(self._topics, OFFLINE)
        order = self._versions.order(time.monotonic())
        abilities = self._learned.abilities(time.monotonic())
        return open_session(self._settings, self._broker, order, self._patience, will=will, abilities=abilities)

    def _serve(self, session: "Session") -> None:
        """Publish and listen until the link ends or `stop` is called."""
        self._up(session)
        subscribed = False
        try:
            subscribed = self._subscribe(session)  # first, so that whoever sees `online` can ask
            session.send(InFlight(None, availability(self._topics, ONLINE)))
            while not self._stopping.is_set():
                self._step(session, LONGEST_NAP_S)
                subscribed = subscribed or self._subscribe(session)
            self._said_goodbye = self._farewell(session)
        finally:
            self._note_dropped(session)
            session.abandon()
            self._outbox.disconnected()

    def _step(self, session: "Session", nap_s: float) -> list["Answer"]:
        self._set_deadline(nap_s + STEP_LIMIT_S)
        now = time.monotonic()
        for parcel in self._outbox.due(session.room, now):
            session.send(parcel)
        answers = session.serve(min(nap_s, self._outbox.wait_s(session.room, now)), self._bell)
        for answer in answers:
            self._settle(answer)
        if session.acknowledged:
            self._learned.acknowledged()
        self._note_dropped(session)
        if self._once.tick(now) is ConnectionChange.UP:
            logger.info("%s", self._status.text)
        if self._once.steady(now):
            self._backoff.reset()
        return answers

    def _subscribe(self, session: "Session") -> bool:
        """Subscribe to requests, unless a message that was too large came that way a short while ago."""
        if self._listening is None or time.monotonic() < self._deaf_until:
            return self._listening is None
        session.listen(self._listening)
        self._status = _Status(f"connected to {self._broker} (MQTT {session.version})", session.version)
        return True

    def _learn(self, why: BrokerError) -> None:
        if why.hung_up and self._learned.hung_up():
            found = find_missing(self._is_acknowledged)
            self._learned.compared(found, time.monotonic())
        now = time.monotonic()
        if why.lacks is not None:
            self._learned.lacks(why.lacks, now)
        if why.too_large:
            # With the subscription the broker would send it again, and end each link before an event is through.
            self._deaf_until = now + self._patience.deaf_s

    def _is_acknowledged(self, abilities: Abilities) -> bool | None:
        if self._stopping.is_set():
            return None
        self._set_deadline(CONNECT_LIMIT_S)
        trial = Message(self._topics.response("check"), b"", qos=1, retain=True)
        return is_acknowledged(self._settings, self._broker, trial, self._patience, abilities)

    def _note_dropped(self, session: "Session") -> None:
        for what in session.dropped():
            line = self._malformed.line(f"{self._broker} sends {what}: dropped", time.monotonic())
            if line:
                logger.warning("%s", line)

    def _settle(self, answer: "Answer") -> None:
        """Takes note of what the broker said to one message."""
        if answer.code == diagnostics.QUOTA_EXCEEDED and not answer.subscription:
            raise BrokerError(diagnostics.ended(answer.code, answer.name, self._broker))  # it may be taken later
        if answer.code < diagnostics.FAILURE:
            self._refused_topics.discard(answer.topic)
            if answer.key:
                self._outbox.acknowledged(answer.key, time.monotonic())
            return
        if answer.topic not in self._refused_topics:
            self._refused_topics.add(answer.topic)
            logger.warning("%s", _refusal(answer, self._broker))
        if answer.key:
            self._outbox.refused(answer.key, time.monotonic())

    def _farewell(self, session: "Session") -> bool:
        """Empties the outbox and says `offline`; whether the broker acknowledged that."""
        while not self._outbox.idle() and (left_s := self._stop_by - self._patience.farewell_s - time.monotonic()) > 0:
            self._step(session, min(left_s, LONGEST_NAP_S))
        session.send(InFlight(OFFLINE_KEY, availability(self._topics, OFFLINE)))
        while (left_s := self._stop_by - time.monotonic()) > 0:
            for answer in session.serve(left_s):
                if answer.key != OFFLINE_KEY:
                    self._settle(answer)
                elif answer.code < diagnostics.FAILURE:
                    session.end()
                    return True
        return False

    def _up(self, session: "Session") -> None:
        self._outbox.connected(time.monotonic())
        deaf = self._listening is not None and time.monotonic() < self._deaf_until
        left_out = ", without requests for a while: a message there was too large" if deaf else ""
        status = _Status(f"connected to {self._broker} (MQTT {session.version}){left_out}", session.version)
        if self._once.up(time.monotonic()) is ConnectionChange.UP:
            logger.info("%s", status.text)
        lost = session.abilities.lost()
        if lost and lost != self._lost:
            logger.warning("%s %s", self._broker, lost)
        self._lost = lost
        self._connects += 1
        self._status = status

    def _down(self, reason: str) -> None:
        """Says why, unless it was said, and waits before the next attempt."""
        now = time.monotonic()
        if self._stopping.is_set():
            return
        wait_s = self._backoff.next_s()
        if self._once.down(reason, now) is ConnectionChange.DOWN:
            logger.warning("%s; trying again for as long as it takes", reason)
        self._status = _Status(reason, retry_at=now + wait_s)
        self._set_deadline(wait_s + STEP_LIMIT_S)
        self._stopping.wait(wait_s)

    def _set_deadline(self, within_s: float) -> None:
        """Says before anything that takes time until when it is over: what breaks its word hangs."""
        self._deadline = time.monotonic() + within_s


def _refusal(answer: "Answer", broker: diagnostics.BrokerAddress) -> str:
    if answer.subscription:
        return diagnostics.subscription_refused(answer.topic, answer.name, broker)
    return diagnostics.publish_refused(answer.topic, answer.code, answer.name, broker)
