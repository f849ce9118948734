"""`fer-edge demo`: the daemon on a staged scene, a broker, and a subscriber that prints."""

import threading

from msgspec.structs import replace
from rich.console import Console

from fer_edge.config.model import MqttSettings, PublishSettings, Settings
from fer_edge.daemon.app import App
from fer_edge.demo.broker import LOOPBACK, Broker, loopback_broker
from fer_edge.demo.scene import LENGTH_S, Scene
from fer_edge.mqtt.messages import OFFLINE
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.client import Subscriber
from fer_edge.subscriber.command import Printer, take, verdict

POLL_S = 0.1
DEVICE = "demo"
HEALTH_S = 10.0  # more often than by default, to occur in half a minute
OFFLINE_S = 5.0


class Viewer:
    """Prints all messages of one device, in a thread of its own; read `audit` after `close`.

    Raises:
        BrokerError: on `open`: the broker refuses the subscription.
    """

    def __init__(self, settings: MqttSettings, device: str, console: Console) -> None:
        topics = Topics(settings.prefix, device)
        self._availability = topics.availability
        self._subscription = Subscriber(settings, device, topics.published)
        self._printer = Printer(console, as_json=False)
        self.audit = Audit(from_start=True)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._print_messages, name="viewer", daemon=True)

    def open(self) -> None:
        """Subscribe; return when the broker has confirmed it."""
        self._subscription.__enter__()
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Wait until the daemon is offline, at most ``timeout_s``, and stop."""
        self._thread.join(timeout_s)
        self._ending.set()
        self._thread.join()
        self._subscription.__exit__()

    def _print_messages(self) -> None:
        while not self._ending.is_set():
            for message in self._subscription.receive(POLL_S):
                take(message, self.audit, self._printer, all_devices=False)
                if message.topic == self._availability and message.payload == OFFLINE:
                    return


def show_demo(console: Console, length_s: float = LENGTH_S) -> int:
    """Run the demo to the scene's end or Ctrl-C; return 0 if every event arrived.

    Raises:
        UserError: a package of the demo is not installed.
    """
    scene = Scene(length_s)
    with loopback_broker() as broker:
        settings = _settings(broker)
        topics = f"{settings.mqtt.prefix}/{DEVICE}"
        console.print(f"Staged scene of {length_s:.0f} s instead of a camera; broker: {broker.name}.")
        console.print(
            f"To subscribe from another terminal: mosquitto_sub -p {broker.port} -t '{topics}/#' -v\n", soft_wrap=True
        )
        viewer = Viewer(settings.mqtt, DEVICE, console)
        viewer.open()
        code = App(settings, opener=lambda _: scene).run()
        viewer.close(OFFLINE_S)
    console.print()
    code = code or verdict(viewer.audit, console)
    if not code:
        console.print("Next step: your own camera, see README.md.")
    return code


def _settings(broker: Broker) -> Settings:
    """Return the defaults with the demo's broker and names."""
    defaults = Settings(device=DEVICE, log_level="warning", publish=PublishSettings(health_s=HEALTH_S))
    return replace(defaults, mqtt=replace(defaults.mqtt, host=LOOPBACK, port=broker.port, protocol=broker.protocol))
