"""A subscriber that is always there: as soon as there is a broker it listens, and it notes every event it gets."""

import threading
import time
from typing import Any, Self

import msgspec

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.client import Subscriber

TOPICS = Topics("fer_edge", "porch")
LOOK_S = 0.05


class Witness:
    """Listens in a thread of its own, `with` begins and ends it. ``settings`` name the broker."""

    def __init__(self, settings: MqttSettings) -> None:
        self.events: list[dict[str, Any]] = []
        self.retained: dict[str, bytes] = {}  # the last of each other topic
        self._settings = settings
        self._there = threading.Event()
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def away(self) -> None:
        """The broker is about to go: what follows waits for the next subscription."""
        self._there.clear()

    def is_there(self, timeout_s: float) -> None:
        """Wait for the subscription to stand."""
        assert self._there.wait(timeout_s), "the witness could not subscribe"

    def audit(self) -> Audit:
        """The verdict on all that came, from each boot's first event on."""
        audit = Audit(from_start=True)
        for event in self.events:
            audit.take(event)
        return audit

    def seqs(self, boot: str | None = None) -> set[int]:
        """Every seq that came, of one boot or of all."""
        ids = [event["id"].rpartition("-") for event in self.events if event["event_type"] != "gap"]
        return {int(seq) for name, _, seq in ids if boot in (None, name)}

    def gaps(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event_type"] == "gap"]

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                try:
                    with Subscriber(self._settings, "porch", TOPICS.published) as subscription:
                        self._there.set()
                        self._listen(subscription)
                except BrokerError:
                    self._there.clear()
                    time.sleep(LOOK_S)
        except BaseException as error:  # noqa: BLE001 - raised where the witness ends
            self._failure = error

    def _listen(self, subscription: Subscriber) -> None:
        while not self._ending.is_set():
            for heard in subscription.receive(LOOK_S):
                if heard.topic == TOPICS.event:
                    self.events.append(msgspec.json.decode(heard.payload))
                else:
                    self.retained[heard.topic] = heard.payload
