"""Link to the broker: a thread that connects, publishes from the outbox, and reconnects with backoff without end.

The main thread never waits for the network: it puts messages into the outbox and wakes the link. An error that ends the
link's thread is raised in the main thread by `check`.
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

MAX_WAIT_S = 1.0  # interval at which keepalive and late acknowledgements are checked without traffic
# Watchdog limits. Connecting: a resolver that gives up after 30 s, four addresses, two versions.
STEP_LIMIT_S = 30.0
CONNECT_LIMIT_S = 120.0
OFFLINE_KEY = 0  # the outbox counts its keys from 1
MALFORMED_S = 600.0  # interval of log lines about packets that could not be parsed


class ConnectionChange(Enum):
    """Change of the connection that is to be logged."""

    NOTHING = 0
    UP = 1
    DOWN = 2


class ConnectionLog:
    """Deduplicates connection log messages; suppresses flapping. Not thread-safe; the link's thread owns it.

    A link that ends for the same reason within ``steady_s`` of its start is flapping, as when two daemons use one
    client id. That is logged once; the next message is logged when the link has been steady.
    """

    def __init__(self, steady_s: float) -> None:
        self._steady_s = steady_s
        self._reason: str | None = None  # the last one
        self._up_since: float | None = None
        self._is_up_logged = False
        self._flapping = False

    def up(self, now: float) -> ConnectionChange:
        """Record a connection; return whether it is to be logged."""
        self._up_since = now
        self._is_up_logged = not self._flapping
        return ConnectionChange.UP if self._is_up_logged else ConnectionChange.NOTHING

    def down(self, reason: str, now: float) -> ConnectionChange:
        """Record a failed attempt or the end of a connection; return whether it is to be logged."""
        was_steady = self.steady(now)
        self._flapping = self._up_since is not None and not was_steady and reason == self._reason
        repeated = reason == self._reason and not was_steady
        self._reason, self._up_since = reason, None
        return ConnectionChange.NOTHING if repeated else ConnectionChange.DOWN

    def steady(self, now: float) -> bool:
        """Return whether the link has lasted for ``steady_s``."""
        return self._up_since is not None and now - self._up_since >= self._steady_s

    def tick(self, now: float) -> ConnectionChange:
        """Return whether a link that was flapping has become steady and is to be logged."""
        if self._is_up_logged or not self.steady(now):
            return ConnectionChange.NOTHING
        self._is_up_logged, self._flapping = True, False
        return ConnectionChange.UP


class LogLimit:
    """Rate limit of log lines that others can cause. Not thread-safe.

    The first line is due at once, then one per ``interval_s``, with the number of suppressed ones.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_at = float("-inf")
        self._skipped = 0

    def line(self, text: str, now: float) -> str | None:
        """Return the line to log at ``now`` (seconds, monotonic); None if it is suppressed."""
        if now < self._due_at:
            self._skipped += 1
            return None
        more = f" ({self._skipped} similar ones suppressed)" if self._skipped else ""
        self._due_at, self._skipped = now + self._interval_s, 0
        return text + more


class LinkState(msgspec.Struct, frozen=True):
    """State of the link, for `health` and for users."""

    connected: bool
    tried: bool  # the first attempt is over, with or without success
    protocol: Version | None  # None without a link
    text: str  # one line
    connects: int  # since the start
    outbox: QueueCounts


class _Status(msgspec.Struct, frozen=True):
    text: str
    protocol: Version | None = None
    retry_at: float | None = None  # seconds, monotonic


class Link:
    """Connection manager. The main thread calls `start` to `stop`; `_run` and what it calls run in the link's thread.

    ``random`` gives 0 to 1 for jitter; without ``subscription`` nothing is subscribed to.

    Raises:
        SettingsError: a password or certificate file that the settings name cannot be used.
    """

    def __init__(  # noqa: PLR0913  keyword arguments
        self,
        settings: MqttSettings,
        topics: Topics,
        outbox: Outbox,
        random: Callable[[], float],
        *,
        timeouts: Timeouts | None = None,
        subscription: Subscription | None = None,
    ) -> None:
        load_credentials(settings)
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._subscription = subscription
        self._timeouts = timeouts or Timeouts()
        self._broker = broker_of(settings, topics.device)
        self._versions = Versions(settings.protocol)
        self._backoff = Backoff(self._timeouts.first_retry_s, settings.reconnect_max_s, random)
        self._log = ConnectionLog(self._timeouts.steady_s)
        self._refused_topics: set[str] = set()
        self._learned = Learned()
        self._lost = ""  # what the broker lacks, as last logged
        self._unsubscribed_until = float("-inf")  # seconds, monotonic: no subscription until then
        self._malformed = LogLimit(MALFORMED_S)
        self._wakeup = Wakeup()
        self._stopping = threading.Event()
        self._stop_by = float("inf")  # seconds, monotonic; written before _stopping is set
        self._status = _Status(f"connecting to {self._broker}")  # replaced as a whole, so that no lock is needed
        self._connects = 0
        self._is_offline_acknowledged = False
        self._failure: BaseException | None = None
        self._deadline = time.monotonic() + CONNECT_LIMIT_S
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Enqueue a message and return at once. A retained one replaces the message of its topic.

        After `stop` it is not sent any more.
        """
        if message.seq is not None:
            self._outbox.put(message, time.monotonic())
        elif message.retain:
            self._outbox.retain(message)
        else:
            self._outbox.post(message, time.monotonic())
        self._wakeup.ring()

    def repeat(self, topics: Sequence[str]) -> None:
        """Publish the retained messages of ``topics`` again."""
        self._outbox.repeat(topics)
        self._wakeup.ring()

    def state(self, now: float) -> LinkState:
        """Return the state at ``now`` (seconds, monotonic)."""
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
        """Watchdog deadline of the link's thread, seconds, monotonic."""
        return self._deadline

    def check(self) -> None:
        """Raise the error that ended the link's thread, if any."""
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout_s: float) -> bool:
        """Publish the rest and `offline`, wait for the acknowledgements and disconnect, all within ``timeout_s``.

        Returns:
            Whether the broker acknowledged everything. Without `offline` the broker publishes the last will.
        """
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._wakeup.ring()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._wakeup.close()
        return self._is_offline_acknowledged and not self._outbox.tally().depth

    def wake(self) -> None:
        """Wake the link's thread: a message may be due. Any thread may call it."""
        self._wakeup.ring()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._serve(self._connect())
                except BrokerError as error:
                    self._learn(error)
                    self._on_disconnected(str(error))
        except BaseException as error:  # noqa: BLE001  raised in the main thread by `check`
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
        return open_session(self._settings, self._broker, order, self._timeouts, will=will, abilities=abilities)

    def _serve(self, session: "Session") -> None:
        """Publish and receive until the link ends or `stop` is called."""
        self._on_connected(session)
        subscribed = False
        try:
            subscribed = self._subscribe(session)  # first: requests work as soon as `online` is published
            session.send(InFlight(None, availability(self._topics, ONLINE)))
            while not self._stopping.is_set():
                self._step(session, MAX_WAIT_S)
                subscribed = subscribed or self._subscribe(session)
            self._is_offline_acknowledged = self._sign_off(session)
        finally:
            self._note_dropped(session)
            session.abandon()
            self._outbox.disconnected()

    def _step(self, session: "Session", wait_s: float) -> list["Answer"]:
        self._set_deadline(wait_s + STEP_LIMIT_S)
        now = time.monotonic()
        for message in self._outbox.due(session.room, now):
            session.send(message)
        answers = session.serve(min(wait_s, self._outbox.wait_s(session.room, now)), self._wakeup)
        for answer in answers:
            self._settle(answer)
        if session.acknowledged:
            self._learned.acknowledged()
        self._note_dropped(session)
        if self._log.tick(now) is ConnectionChange.UP:
            logger.info("%s", self._status.text)
        if self._log.steady(now):
            self._backoff.reset()
        return answers

    def _subscribe(self, session: "Session") -> bool:
        """Subscribe to requests, unless a message that was too large came that way a short while ago."""
        if self._subscription is None or time.monotonic() < self._unsubscribed_until:
            return self._subscription is None
        session.subscribe(self._subscription)
        self._status = _Status(f"connected to {self._broker} (MQTT {session.version})", session.version)
        return True

    def _learn(self, error: BrokerError) -> None:
        if error.hung_up and self._learned.hung_up():
            found = find_missing(self._is_acknowledged)
            self._learned.compared(found, time.monotonic())
        now = time.monotonic()
        if error.lacks is not None:
            self._learned.lacks(error.lacks, now)
        if error.too_large:
            # With the subscription the broker would send it again and end each link before an event is published.
            self._unsubscribed_until = now + self._timeouts.unsubscribed_s

    def _is_acknowledged(self, abilities: Abilities) -> bool | None:
        if self._stopping.is_set():
            return None
        self._set_deadline(CONNECT_LIMIT_S)
        trial = Message(self._topics.response("check"), b"", qos=1, retain=True)
        return is_acknowledged(self._settings, self._broker, trial, self._timeouts, abilities)

    def _note_dropped(self, session: "Session") -> None:
        for packet in session.dropped():
            line = self._malformed.line(f"{self._broker} sent {packet}: dropped", time.monotonic())
            if line:
                logger.warning("%s", line)

    def _settle(self, answer: "Answer") -> None:
        """Process the broker's answer to one message."""
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

    def _sign_off(self, session: "Session") -> bool:
        """Publish the rest of the outbox and `offline`; return whether the broker acknowledged `offline`."""
        while not self._outbox.idle() and (left_s := self._stop_by - self._timeouts.offline_s - time.monotonic()) > 0:
            self._step(session, min(left_s, MAX_WAIT_S))
        session.send(InFlight(OFFLINE_KEY, availability(self._topics, OFFLINE)))
        while (left_s := self._stop_by - time.monotonic()) > 0:
            for answer in session.serve(left_s):
                if answer.key != OFFLINE_KEY:
                    self._settle(answer)
                elif answer.code < diagnostics.FAILURE:
                    session.end()
                    return True
        return False

    def _on_connected(self, session: "Session") -> None:
        self._outbox.connected(time.monotonic())
        is_unsubscribed = self._subscription is not None and time.monotonic() < self._unsubscribed_until
        left_out = "; requests are paused: a message there was too large" if is_unsubscribed else ""
        status = _Status(f"connected to {self._broker} (MQTT {session.version}){left_out}", session.version)
        if self._log.up(time.monotonic()) is ConnectionChange.UP:
            logger.info("%s", status.text)
        lost = session.abilities.lost()
        if lost and lost != self._lost:
            logger.warning("%s %s", self._broker, lost)
        self._lost = lost
        self._connects += 1
        self._status = status

    def _on_disconnected(self, reason: str) -> None:
        """Log the reason, unless it was logged, and wait before the next attempt."""
        now = time.monotonic()
        if self._stopping.is_set():
            return
        wait_s = self._backoff.next_s()
        if self._log.down(reason, now) is ConnectionChange.DOWN:
            logger.warning("%s; retrying", reason)
        self._status = _Status(reason, retry_at=now + wait_s)
        self._set_deadline(wait_s + STEP_LIMIT_S)
        self._stopping.wait(wait_s)

    def _set_deadline(self, within_s: float) -> None:
        """Set this thread's watchdog deadline before a blocking call."""
        self._deadline = time.monotonic() + within_s


def _refusal(answer: "Answer", broker: diagnostics.BrokerAddress) -> str:
    if answer.subscription:
        return diagnostics.subscription_refused(answer.topic, answer.name, broker)
    return diagnostics.publish_refused(answer.topic, answer.code, answer.name, broker)
