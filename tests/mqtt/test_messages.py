import json

import numpy as np
import pytest

from fer_edge.mqtt.messages import Clocks, Messages, as_replayed, availability, dominant, new_run_name
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Box, EventKind, FaceState, Outcome

TOPICS = Topics("fer_edge", "porch")


class Time:
    """A wall clock that reads 2001-09-09T01:46:40Z when the monotonic one, by which all is moved, reads 100 s."""

    def __init__(self):
        self.monotonic_s = 100.0
        self.step_s = 0.0
        self.synced = True

    def clocks(self):
        return Clocks(
            lambda: 1_000_000_000.0 + self.monotonic_s - 100.0 + self.step_s,
            lambda: self.monotonic_s,
            lambda: self.synced,
        )


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def messages(time):
    return Messages(TOPICS, "0123456789abcdef", "b00t", time.clocks(), expiry_s=600)


def verdict(face, emotion="happy", width=0.1, confidence=0.9, since=100.0):
    scores = np.full(7, 1 / 7, np.float32)
    return FaceState(face, Box(0.1, 0.2, width, 0.2), emotion, confidence, scores, since, Outcome.HELD)


def test_event_is_the_object_of_the_contract(messages, time, an_event):
    time.monotonic_s = 112.5  # the message is made half a second after the frame that decided it
    message = messages.event(an_event(EventKind.CHANGED, at=112.0, previous="neutral", duration_s=3.2))
    assert (message.topic, message.qos, message.retain, message.expiry_s, message.seq) == (
        "fer_edge/porch/event", 1, False, 600, 1,
    )  # fmt: skip
    assert message.payload.decode() == (
        '{"schema":1,"id":"b00t-1","event_type":"emotion_changed","time":"2001-09-09T01:46:52.000Z","clock":"synced",'
        '"uptime_s":12.0,"device":"porch","face":17,"emotion":"happy","confidence":0.93,"previous":"neutral",'
        '"scores":{"angry":0.01,"disgust":0.0,"fear":0.01,"happy":0.93,"sad":0.01,"surprise":0.02,"neutral":0.02},'
        '"box":[0.1,0.2,0.3,0.4],"duration_s":3.2,"reason":null,"missing":null,"model":"01234567","replayed":false}'
    )


def test_face_that_is_gone_says_why_and_a_face_of_which_nothing_is_sure_says_null(messages, an_event):
    gone = json.loads(messages.event(an_event(EventKind.GONE, at=100.0, emotion=None, reason="left")).payload)
    assert (gone["event_type"], gone["reason"], gone["emotion"]) == ("face_gone", "left", None)


def test_seq_counts_events_alone_and_without_a_hole(messages, an_event):
    messages.state((), "running")
    first = messages.event(an_event())
    messages.health({})
    messages.gap("b00t", 1, 1, "queue_full")
    second = messages.event(an_event())
    assert (first.seq, second.seq) == (1, 2)
    assert json.loads(second.payload)["id"] == "b00t-2"


def test_time_follows_the_wall_clock_s_step_and_uptime_does_not(messages, time, an_event):
    time.synced, time.monotonic_s = False, 101.0
    before = json.loads(messages.event(an_event(at=101.0)).payload)
    time.synced, time.step_s = True, 3600.0
    after = json.loads(messages.event(an_event(at=101.0)).payload)
    assert (before["clock"], before["time"]) == ("unsynced", "2001-09-09T01:46:41.000Z")
    assert (after["clock"], after["time"]) == ("synced", "2001-09-09T02:46:41.000Z")
    assert before["uptime_s"] == after["uptime_s"] == 1.0


def test_gap_stands_at_the_last_of_what_it_names(messages, time):
    time.monotonic_s = 107.0
    message = messages.gap("b00t", 11, 500, "queue_full")
    gap = json.loads(message.payload)
    assert message.seq == 500
    assert gap["id"] == "b00t-500"
    assert (gap["event_type"], gap["missing"], gap["reason"]) == (
        "gap",
        {"boot": "b00t", "from": 11, "to": 500},
        "queue_full",
    )
    assert gap["uptime_s"] == 7.0
    assert [gap[key] for key in ("face", "emotion", "scores", "box")] == [None] * 4


def test_expiry_of_zero_is_never(time, an_event):
    assert Messages(TOPICS, "0", "b", time.clocks(), expiry_s=0).event(an_event()).expiry_s is None


def test_state_is_the_object_of_the_contract(messages, time):
    time.monotonic_s = 110.0
    message = messages.state([verdict(17, since=104.0)], "running")
    assert (message.topic, message.qos, message.retain, message.seq) == ("fer_edge/porch/state", 1, True, None)
    assert message.payload.decode() == (
        '{"schema":1,"time":"2001-09-09T01:46:50.000Z","clock":"synced","device":"porch","camera":"running","faces":'
        '[{"face":17,"emotion":"happy","confidence":0.9,"since":"2001-09-09T01:46:44.000Z","box":[0.1,0.2,0.1,0.2]}],'
        '"dominant":{"emotion":"happy","confidence":0.9,"face":17,"since":"2001-09-09T01:46:44.000Z"}}'
    )


def test_nobody_there_is_an_empty_state(messages):
    state = json.loads(messages.state((), "lost").payload)
    assert (state["camera"], state["faces"], state["dominant"]) == ("lost", [], None)


def test_dominant_is_the_largest_face_that_has_an_expression():
    small, large = verdict(1, width=0.1, confidence=0.99), verdict(2, "sad", width=0.3, confidence=0.6)
    unsure = verdict(3, None, width=0.9)
    assert dominant([small, large, unsure]) is large
    assert dominant([unsure]) is None
    assert dominant([]) is None


def test_dominant_between_equals_is_the_older_track():
    assert dominant([verdict(9), verdict(4), verdict(7)]).face == 4


def test_replayed_event_differs_in_that_alone(messages, an_event):
    event = messages.event(an_event(EventKind.GONE, reason="left", duration_s=1.5))
    late = as_replayed(event)
    assert json.loads(late.payload) == json.loads(event.payload) | {"replayed": True}
    assert late.payload == event.payload.replace(b'"replayed":false', b'"replayed":true')
    assert as_replayed(late) == late
    assert (late.topic, late.seq, late.expiry_s) == (event.topic, event.seq, event.expiry_s)


def test_replayed_gap_keeps_its_range(messages):
    assert json.loads(as_replayed(messages.gap("b00t", 3, 9, "refused")).payload)["missing"] == {
        "boot": "b00t",
        "from": 3,
        "to": 9,
    }


def test_health_is_passing_and_info_is_not(messages):
    health, info = messages.health({"frames": 3}), messages.info({"version": "1"})
    assert (health.topic, health.qos, health.retain) == ("fer_edge/porch/health", 0, True)
    assert (info.topic, info.qos, info.retain) == ("fer_edge/porch/info", 1, True)
    assert json.loads(health.payload) == {
        "schema": 1, "time": "2001-09-09T01:46:40.000Z", "clock": "synced", "device": "porch", "frames": 3,
    }  # fmt: skip


def test_availability_is_a_bare_word():
    message = availability(TOPICS, b"online")
    assert (message.topic, message.payload, message.qos, message.retain) == (
        "fer_edge/porch/availability", b"online", 1, True,
    )  # fmt: skip


def test_boots_have_different_names():
    names = {new_run_name() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) == 8 and "-" not in name for name in names)
