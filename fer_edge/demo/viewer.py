"""A subscriber like any user's: prints what arrives over MQTT, as lines that a person reads."""

import json
import threading
from datetime import datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.text import Text

from fer_edge.deliver.describe import describe

STYLES = {"event": "bold", "state": "cyan", "health": "dim", "info": "dim", "availability": "green"}
EVENT_STYLES = {"face_appeared": "bold green", "emotion_changed": "bold yellow", "face_gone": "bold red"}
SHOWN = frozenset(STYLES)  # what else the daemon says (settings, answers) is not the demo's subject
CONNECT_S = 10.0


class Viewer:
    """Subscribes to everything below one device's topics and prints it.

    paho's thread calls `_on_message`; the counts are read after `close`, when that thread has ended.
    """

    def __init__(self, host: str, port: int, topics: str, console: Console) -> None:
        self._topics = topics
        self._console = console
        self._subscribed = threading.Event()
        self._offline = threading.Event()
        self.sequence: list[int] = []  # of the events, as they came
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topics}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect(host, port)

    def open(self) -> None:
        """Starts to listen; returns when the broker has confirmed it."""
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise RuntimeError("the broker did not confirm the demo's subscription")

    def close(self, timeout_s: float) -> None:
        """Waits until the daemon is said to be offline, at most ``timeout_s``, and ends."""
        self._offline.wait(timeout_s)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        kind = message.topic.removeprefix(f"{self._topics}/")
        text = message.payload.decode()
        payload: dict[str, Any] | str = json.loads(text) if text.startswith("{") else text
        style = STYLES.get(kind, "")
        if kind == "event" and isinstance(payload, dict):
            self.sequence.append(int(payload["id"].rpartition("-")[2]))
            style = EVENT_STYLES.get(payload["event_type"], style)
        if kind in SHOWN:
            self._print(kind, describe(kind, payload), style)
        if payload == "offline":
            self._offline.set()

    def _print(self, kind: str, line: str, style: str) -> None:
        now = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        self._console.print(Text.assemble((f"{now}  ", "dim"), (f"{kind:<12}  ", style), (line, style)), soft_wrap=True)
