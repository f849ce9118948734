"""`fer-edge demo`: the real daemon on a staged scene, a real broker, and what a subscriber receives."""

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

LOOK_S = 0.1
DEVICE = "demo"
HEALTH_S = 10.0  # more often than by default, so that half a minute shows it
OFFLINE_S = 5.0


class Viewer:
    """Prints everything below one device's topics; `audit` is to be read after `close`, when its thread has ended.

    Raises:
        Trouble: on `open`: the broker does not let it listen.
    """

    def __init__(self, settings: MqttSettings, device: str, console: Console) -> None:
        topics = Topics(settings.prefix, device)
        self._availability = topics.availability
        self._subscription = Subscriber(settings, device, topics.published)
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


def show_demo(console: Console, length_s: float = LENGTH_S) -> int:
    """Runs the demo to the scene's end or Ctrl-C; the exit code says whether every event arrived.

    Raises:
        UserError: something the demo needs is not installed.
    """
    scene = Scene(length_s)
    with loopback_broker() as broker:
        settings = _settings(broker)
        topics = f"{settings.mqtt.prefix}/{DEVICE}"
        console.print(f"A staged scene of {length_s:.0f} s instead of a camera, {broker.name} as broker.")
        console.print(
            f"To listen from another terminal: mosquitto_sub -p {broker.port} -t '{topics}/#' -v\n", soft_wrap=True
        )
        viewer = Viewer(settings.mqtt, DEVICE, console)
        viewer.open()
        code = App(settings, opener=lambda _: scene).run()
        viewer.close(OFFLINE_S)
    console.print()
    code = code or verdict(viewer.audit, console)
    if not code:
        console.print("Next: your own camera, see README.md.")
    return code


def _settings(broker: Broker) -> Settings:
    """The defaults, but for the broker and the names."""
    plain = Settings(device=DEVICE, log_level="warning", publish=PublishSettings(health_s=HEALTH_S))
    return replace(plain, mqtt=replace(plain.mqtt, host=LOOPBACK, port=broker.port, protocol=broker.protocol))
