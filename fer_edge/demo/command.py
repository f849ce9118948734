"""`fer-edge demo`: the real daemon on a staged scene, a real broker, and what a subscriber receives."""

from msgspec.structs import replace
from rich.console import Console

from fer_edge.config.model import PublishSettings, Settings
from fer_edge.daemon.app import App
from fer_edge.demo.broker import LOOPBACK, Broker, loopback_broker
from fer_edge.demo.scene import LENGTH_S, Scene
from fer_edge.demo.viewer import Viewer
from fer_edge.subscriber.command import verdict

DEVICE = "demo"
HEALTH_S = 10.0  # more often than by default, so that half a minute shows it
OFFLINE_S = 5.0


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
