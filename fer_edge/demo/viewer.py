"""The demo's subscriber: what `fer-edge events --all` shows, in a thread beside the daemon."""

import threading

from rich.console import Console

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.messages import OFFLINE
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.client import Subscription
from fer_edge.subscriber.command import Printer, take

LOOK_S = 0.1


class Viewer:
    """Prints everything below one device's topics; `audit` is to be read after `close`, when its thread has ended.

    Raises:
        Trouble: on `open`: the broker does not let it listen.
    """

    def __init__(self, settings: MqttSettings, device: str, console: Console) -> None:
        topics = Topics(settings.prefix, device)
        self._availability = topics.availability
        self._subscription = Subscription(settings, device, topics.published)
        self._printer = Printer(console, as_json=False)
        self.audit = Audit(from_start=True)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="viewer", daemon=True)

    def open(self) -> None:
        """Starts to listen; returns when the broker has confirmed it."""
        self._subscription.__enter__()
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Waits until the daemon is said to be offline, at most ``timeout_s``, and ends."""
        self._thread.join(timeout_s)
        self._ending.set()
        self._thread.join()
        self._subscription.__exit__()

    def _listen(self) -> None:
        while not self._ending.is_set():
            for heard in self._subscription.listen(LOOK_S):
                take(heard, self.audit, self._printer, all_devices=False)
                if heard.topic == self._availability and heard.payload == OFFLINE:
                    return
