"""The daemon as users run it, the command in a process of its own, and a subscriber that hears all it says."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

DEVICE = "tested"
GIVE_UP_S = 60.0  # far beyond what anything here takes, even where ten other things run


class Subscriber:
    """Hears everything of the device, in order."""

    def __init__(self, port: int, device: str = DEVICE) -> None:
        self.device = device
        self.heard: list[tuple[str, Any]] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(f"fer_edge/{self.device}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(GIVE_UP_S)

    def of(self, kind: str) -> list[Any]:
        """The payloads of one topic so far."""
        return [payload for name, payload in self.heard if name == kind]

    def ask(self, verb: str, payload: str | bytes = "{}", *, retain: bool = False) -> None:
        """Publishes a request."""
        self._client.publish(f"fer_edge/{self.device}/request/{verb}", payload, 1, retain)

    def answer(self, verb: str, payload: str = "{}") -> Any:
        """The answer to a request that is published now."""
        before = len(self.of(f"response/{verb}"))
        self.ask(verb, payload)
        self.wait_for(lambda heard: len(heard.of(f"response/{verb}")) > before, f"an answer to {verb}")
        return self.of(f"response/{verb}")[before]

    def wait_for(self, condition: Callable[["Subscriber"], object], what: str) -> None:
        """Returns when the condition holds; fails with what was heard when it never does."""
        deadline = time.monotonic() + GIVE_UP_S
        while not condition(self):
            assert time.monotonic() < deadline, f"never heard {what}; heard {self.heard[-5:]}"
            time.sleep(0.02)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        name = message.topic.removeprefix(f"fer_edge/{self.device}/")
        if name.startswith("request/"):
            return  # our own
        text = message.payload.decode()
        self.heard.append((name, json.loads(text) if text.startswith("{") else text))


class Daemon:
    """`fer-edge run` in a process, started by the command ``by`` if any; what it says on stderr is kept."""

    def __init__(self, folder: Path, settings: dict[str, Any], by: Sequence[str] = ()) -> None:
        self.config = folder / "config.yaml"
        self.log_path = folder / "daemon.log"
        self.write(settings)
        command = [*by, Path(sys.executable).parent / "fer-edge", "run", "--config", self.config]
        self.state = folder / "state"
        environment = {**os.environ, "STATE_DIRECTORY": str(self.state), "XDG_RUNTIME_DIR": str(folder)}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=environment)

    def write(self, settings: dict[str, Any]) -> None:
        """Replaces the settings file; `reload` makes the daemon read it."""
        self.config.write_bytes(msgspec.yaml.encode(settings))

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for_log(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        while self.log().count(text) < times:
            assert time.monotonic() < deadline, f"never logged {text!r}:\n{self.log()}"
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(GIVE_UP_S)
