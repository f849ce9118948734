"""A real Home Assistant core: what appears, what can be asked, what docs/home-assistant.md promises, how it leaves.

Needs a Python that has `homeassistant` and `paho-mqtt`: FER_EDGE_HASS names it, see docs/home-assistant.md. Skipped
where it does not, in CI as well: nothing holds that page to its promise there.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_edge.demo.broker import Broker
from tests.system.harness import Daemon, Subscriber

pytestmark = pytest.mark.system

Start = Callable[[dict[str, Any]], Daemon]
REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = REPOSITORY / "tests" / "servers" / "home_assistant.py"
PAGE = REPOSITORY / "docs" / "home-assistant.md"
GIVE_UP_S = 300.0  # Home Assistant starts in ten seconds where nothing else runs, in minutes on a busy machine


class HomeAssistant:
    """Home Assistant in a process of its own; one order, one answer."""

    def __init__(self, python: str, port: int) -> None:
        command = [*shlex.split(python), "-W", "ignore", "-c", SERVER.read_text(), str(port)]
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL  # it complains of its own integration, at length
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True)
        assert self._answer() == "ready"

    def order(self, *order: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def call(self, domain: str, service: str, entity: str, **data: Any) -> None:
        self.order("call", domain, service, {"entity_id": entity, **data})

    def states(self) -> dict[str, list[Any]]:
        """Entity id: [state, attributes]."""
        return dict(self.order("states")["states"])

    def state(self, entity: str) -> str | None:
        return str(self.states().get(entity, [None])[0])

    def calls(self) -> list[tuple[str, str]]:
        """The services that were only listened to, as they were called."""
        return [(domain, service) for domain, service, _ in self.order("states")["calls"]]

    def close(self) -> None:
        self.process.communicate(timeout=GIVE_UP_S)

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "Home Assistant has ended"
        return json.loads(line)


@pytest.fixture
def home(broker: Broker) -> Iterator[HomeAssistant]:
    python = os.environ.get("FER_EDGE_HASS")
    if python is None:
        pytest.skip(
            "docs/home-assistant.md is not checked here, only where Home Assistant is installed: FER_EDGE_HASS names "
            "no Python with homeassistant in it"
        )
    one = HomeAssistant(python, broker.port)
    yield one
    one.close()


@pytest.fixture
def settings(broker: Broker, data: Path) -> dict[str, Any]:
    return {
        "device": "porch",
        "camera": {"source": str(data / "videos" / "single_face.mp4"), "loop": True},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "publish": {"health_s": 1},
        "home_assistant": {"discovery": True},
    }


def eventually(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.1)


def automations() -> list[dict[str, Any]]:
    """Those of the page."""
    blocks = [block.partition("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]
    (found,) = [parsed for parsed in map(yaml.safe_load, blocks) if isinstance(parsed, list)]
    return found


def test_device_appears_with_entities_that_live_and_leaves_when_it_is_told(
    home: HomeAssistant, start: Start, settings: dict[str, Any]
) -> None:
    daemon = start(settings)
    eventually(lambda: home.state("sensor.porch_dominant_emotion") == "happy", "a smile")
    eventually(lambda: home.states()["event.porch_face"][0] != "unknown", "an event")
    seen = home.states()
    assert seen["sensor.porch_faces"][0] == "1"
    assert seen["event.porch_face"][1]["event_type"] in ("face_appeared", "emotion_changed")
    assert len(seen["event.porch_face"][1]["scores"]) == 7
    assert 0 < seen["sensor.porch_dominant_emotion"][1]["confidence"] <= 1
    assert seen["sensor.porch_camera"][0] == "running"
    assert float(seen["sensor.porch_frame_rate"][0]) > 0
    assert float(seen["sensor.porch_latency_p95"][0]) > 0
    assert float(seen["number.porch_enter_threshold"][0]) == 0.5
    told = {name for name, (state, _) in seen.items() if state in ("unavailable", "unknown")}
    assert told <= {
        "button.porch_reset_thresholds",
        "sensor.porch_cpu_temperature",
        "binary_sensor.porch_throttled",
    }
    assert daemon.stop() == 0
    eventually(lambda: home.state("sensor.porch_memory") == "unavailable", "that it is away")
    command = [Path(sys.executable).parent / "fer-edge", "home-assistant", "remove", "--config", daemon.config]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "set home_assistant.discovery to false" in result.stderr
    eventually(lambda: home.order("states")["devices"] == [], "that it is forgotten")
    assert home.states() == {}


def test_pause_and_thresholds_are_asked_for_from_home_assistant(
    home: HomeAssistant, start: Start, settings: dict[str, Any]
) -> None:
    daemon = start({**settings, "decide": {"enter": 1.0}})
    eventually(lambda: home.state("sensor.porch_faces") == "1", "a face")
    assert home.state("sensor.porch_dominant_emotion") == "none"
    eventually(lambda: home.state("number.porch_enter_threshold") == "1.0", "the file's threshold")
    home.call("number", "set_value", "number.porch_enter_threshold", value=0.4)
    eventually(lambda: home.state("number.porch_enter_threshold") == "0.4", "the new threshold")
    eventually(lambda: home.state("sensor.porch_dominant_emotion") == "happy", "a smile")
    home.call("number", "set_value", "number.porch_enter_threshold", value=0.1)  # below `leave`: refused
    home.call("button", "press", "button.porch_reset_thresholds")
    eventually(lambda: home.state("number.porch_enter_threshold") == "1.0", "the file's threshold")
    eventually(lambda: home.state("switch.porch_pause") == "off", "the switch")
    home.call("switch", "turn_on", "switch.porch_pause")
    eventually(lambda: home.state("switch.porch_pause") == "on", "the pause")
    eventually(lambda: home.state("sensor.porch_faces") == "unavailable", "that nobody looks")
    assert home.state("sensor.porch_camera") == "paused"
    home.call("switch", "turn_off", "switch.porch_pause")
    eventually(lambda: home.state("sensor.porch_faces") == "1", "a face again")
    assert home.state("switch.porch_pause") == "off"
    assert daemon.stop() == 0


def test_home_assistant_that_starts_later_is_told_everything_again(
    home: HomeAssistant, start: Start, settings: dict[str, Any], broker: Broker
) -> None:
    start(settings)
    eventually(lambda: home.state("sensor.porch_faces") == "1", "a face")
    # All of the device is there: a restart in the middle of a discovery is Home Assistant's own affair.
    eventually(lambda: home.state("number.porch_minimum_sharpness") not in ("None", "unavailable"), "its numbers")
    listener = Subscriber(broker.port, "porch")
    listener.wait_for(lambda heard: heard.of("info"), "what was retained")
    told = len(listener.of("info"))
    home.order("restart")
    listener.wait_for(lambda heard: len(heard.of("info")) > told, "all of it after the birth")
    eventually(lambda: home.state("sensor.porch_faces") == "1", "a face")
    listener.close()


def test_automations_of_the_page_act(home: HomeAssistant, start: Start, settings: dict[str, Any]) -> None:
    for domain, service in (("light", "turn_on"), ("light", "turn_off"), ("notify", "notify")):
        home.order("listen", domain, service)
    daemon = start(settings)
    eventually(lambda: home.state("sensor.porch_faces") == "1", "a face")
    home.order("automations", automations())
    assert home.calls() == []
    home.order("set", "input_boolean.guests", "on")
    eventually(lambda: home.state("switch.porch_pause") == "on", "the guests' pause")
    home.order("set", "input_boolean.guests", "off")
    eventually(lambda: home.state("switch.porch_pause") == "off", "the end of it")
    eventually(lambda: ("light", "turn_on") in home.calls(), "the light of the smile")
    eventually(lambda: home.state("sensor.porch_camera") == "running", "the camera")
    assert set(home.calls()) == {("light", "turn_on")}
    daemon.stop()
    eventually(lambda: ("notify", "notify") in home.calls(), "word of the camera")
    clip = Path(settings["camera"]["source"]).with_name("no_face.mp4")
    start({**settings, "camera": {"source": str(clip), "loop": True}})
    eventually(lambda: ("light", "turn_off") in home.calls(), "the light to go out")
