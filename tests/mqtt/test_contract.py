"""docs/mqtt.md and the code say the same: every key that is documented is produced, and nothing else is."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from fer_edge.capture.supervisor import CameraPhase, CameraState
from fer_edge.config.model import PrivacySettings, Settings
from fer_edge.config.runtime import RELOADABLE, origins
from fer_edge.daemon.controls import WITHOUT_FRAMES
from fer_edge.daemon.health import HealthMeter, health_figures, info_facts, recording_state
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.journal import QUEUE_FULL, REASONS, RESTART
from fer_edge.mqtt.link import LinkState
from fer_edge.mqtt.messages import OFFLINE, Clocks, Messages, availability
from fer_edge.mqtt.outbox import QueueCounts
from fer_edge.mqtt.payloads import SCHEMA
from fer_edge.mqtt.requests import Request, Verb
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Box, EventKind, FaceState, Message, Outcome, SummaryWindow
from fer_edge.vision.delegate import DelegateInfo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mqtt.md"
TOPICS = Topics("fer_edge", "porch")
# Objects whose keys are data, not contract, or are named in a sentence.
TITLES = {"response": "`response/<verb>`"}
WHOLE = {"scores", "model.scores", "settings", "data", "dwell_s"}

SCORES = np.full(7, 1 / 7, np.float32)
VERDICT = FaceState(17, Box(0.1, 0.2, 0.3, 0.4), "happy", 0.9, SCORES, 0.0, Outcome.HELD)


def chapter(name: str) -> str:
    """The text below `## name`."""
    return PAGE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each table row, without the head."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def keys(value: dict[str, Any], before: str = "") -> Iterator[str]:
    """The dotted names of everything in a payload."""
    for key, inner in value.items():
        name = before + key
        yield name
        if isinstance(inner, dict) and name not in WHOLE:
            yield from keys(inner, f"{name}.")
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield from keys(inner[0], f"{name}[].")


def ends_of_faces_in_the_source() -> set[str]:
    """The reasons that are words where a face is said to be gone: `ended(..., "left")`, `close(now, "stopped")`."""
    sources = [path.read_text() for path in (PAGE.parents[1] / "fer_edge").rglob("*.py")]
    return {word for source in sources for word in re.findall(r'\b(?:close_track|close)\(.*, "(\w+)"\)', source)}


@pytest.fixture
def produced(an_event) -> dict[str, list[Message]]:
    """At least one message for each topic, with everything in it that can be."""
    messages = Messages(TOPICS, "0123456789", "b00t", Clocks(lambda: 0.0, lambda: 0.0, lambda: True), 60)
    meter = HealthMeter(0.0)
    meter.frame(0.01, [VERDICT])
    camera = CameraState(CameraPhase.RUNNING, 0.0)
    link = LinkState(True, True, "5", "connected", 1, QueueCounts(0, 0, 0, 0, 0, ""))
    card = SimpleNamespace(name="n", sha256="0", emotions=EMOTIONS, scores={})
    runner, kernels = SimpleNamespace(runtime="r"), DelegateInfo(True, 1.0, 0.7)
    vision = SimpleNamespace(
        classifier=SimpleNamespace(card=card, interpreter=runner), detector=SimpleNamespace(name="haar")
    )
    request = Request("settings", TOPICS.response("settings"), None, "t", {}, ())
    requests = {"done": 0, "refused": 0, "dropped": 0}
    kinds = (EventKind.APPEARED, EventKind.CHANGED, EventKind.GONE)
    return {
        "availability": [availability(TOPICS, OFFLINE)],
        "event": [*(messages.event(an_event(kind)) for kind in kinds), messages.gap("b00t", 1, 2, QUEUE_FULL)],
        "state": [messages.state([VERDICT], CameraPhase.RUNNING)],
        "health": [
            messages.health(
                health_figures(meter.report(1.0, 0), kernels, camera, link, 1.0, requests, recording_state(None))
            )
        ],
        "summary": [messages.summary(SummaryWindow(0.0, 300.0, dict.fromkeys(EMOTIONS, 0.0), 0.0, 0, 1.0))],
        "info": [messages.info(info_facts(vision, kernels, PrivacySettings()))],
        "settings": [messages.settings(origins(Settings(), {}, {}), paused=False)],
        "response": [
            messages.response(request, [], {"paused": True}),
            messages.response(request, ["decide.entr: unknown key, did you mean enter?"], None),
        ],
    }


def test_every_topic_is_documented_with_its_qos_and_retain(produced):
    table = rows(PAGE.read_text().partition("\n## ")[0])
    assert [words(row[0])[0].partition("/")[0] for row in table] == list(produced)
    for name, qos, retained, _ in table:
        topic = words(name)[0].replace("<verb>", "settings")
        for message in produced[topic.partition("/")[0]]:
            assert message.topic == f"fer_edge/porch/{topic}"
            assert (str(message.qos), {True: "yes", False: "no"}[message.retain]) == (qos, retained)


@pytest.mark.parametrize("topic", ["event", "state", "health", "summary", "info", "settings", "response"])
def test_every_key_is_documented_and_every_documented_key_is_produced(produced, topic):
    documented = [words(row[0])[0] for row in rows(chapter(TITLES.get(topic, f"`{topic}`")))]
    found = [dict.fromkeys(keys(msgspec.json.decode(message.payload))) for message in produced[topic]]
    assert documented == list(max(found, key=len))  # in their order
    top = [[key for key in one if "." not in key] for one in found]
    assert all(one == top[0] for one in top), "every key is in every message"


@pytest.mark.parametrize("topic", ["event", "state", "health", "summary", "info", "settings", "response"])
def test_types_are_as_documented(produced, topic):
    types = {"integer": int, "string": str, "number": (int, float), "object": dict, "array": list, "boolean": bool}
    for message in produced[topic]:
        payload = msgspec.json.decode(message.payload)
        for key, kind, _ in rows(chapter(TITLES.get(topic, f"`{topic}`"))):
            name = words(key)[0]
            if "." not in name and payload[name] is not None:
                assert isinstance(payload[name], types[kind]), name


def test_every_word_that_can_come_is_documented():
    event = {words(row[0])[0]: row[2] for row in rows(chapter("`event`"))}
    assert words(event["event_type"]) == [kind.value for kind in EventKind]
    assert words(event["emotion"])[:7] == list(EMOTIONS)
    gone, gap = re.fullmatch(r"`face_gone`: (.*); `gap`: (.*)", event["reason"]).groups()
    assert sorted(words(gone)) == sorted(set(WITHOUT_FRAMES.values()) | ends_of_faces_in_the_source() | {RESTART})
    assert sorted(words(gap)) == sorted(REASONS)
    state = {words(row[0])[0]: row[2] for row in rows(chapter("`state`"))}
    assert words(state["camera"]) == [phase.value for phase in CameraPhase]
    health = [words(row[0])[0] for row in rows(chapter("`health`"))]
    assert [name.removeprefix("faces.") for name in health if name.startswith("faces.")] == [
        outcome.value for outcome in Outcome
    ]


def test_every_verb_is_documented():
    table = [line for line in chapter("Requests").splitlines() if line.startswith("| `request/")]
    assert [words(line)[0] for line in table] == [f"request/{verb}" for verb in Verb]


def test_settings_show_everything_that_can_be_changed_and_nothing_else(produced):
    (message,) = produced["settings"]
    shown = msgspec.json.decode(message.payload)["settings"]
    row = {words(row[0])[0]: row[2] for row in rows(chapter("`settings`"))}["settings"]
    assert list(shown) == list(RELOADABLE) == [word for word in words(row) if word != "config.yaml"]


def test_schema_is_the_page_s(produced):
    assert f"`schema` {SCHEMA}." in PAGE.read_text()


def test_dominant_in_the_page_s_words(produced):
    messages = Messages(TOPICS, "0", "b", Clocks(lambda: 0.0, lambda: 0.0, lambda: True))
    nearer = replace(VERDICT, face=20, box=Box(0, 0, 0.5, 0.5), confidence=0.6)
    state = msgspec.json.decode(messages.state([VERDICT, nearer], CameraPhase.RUNNING).payload)
    assert state["dominant"]["face"] == 20
