"""Live state as the page's viewers read it."""

import pytest

from fer_edge.events.lifecycle import Decision
from fer_edge.tuning.replay import replay
from fer_edge.types import EventKind, RejectReason


def test_outcomes_sum_up_to_the_faces_seen(play) -> None:
    stage = play().show(1.0, "happy").show(0.5, "happy", unscored=RejectReason.BLURRED).show(1.0, "sad", 0.3).stage
    figures = stage.figures()
    assert figures["faces_seen"] == 25
    assert sum(figures["faces"].values()) == 25
    assert figures["faces"]["blurred"] == 5
    assert figures["faces"]["arriving"] == 5  # of 0.1 to 0.5 s; at 0.6 s it has been seen for arrive_s
    assert figures["latency_ms"] == pytest.approx(20.0)


def test_rate_is_that_of_the_last_five_seconds(play) -> None:
    one = play().show(20.0, "happy")
    assert one.stage.figures()["frame_rate_hz"] == pytest.approx(10.0, abs=0.2)
    one.now += 5.1
    assert one.stage.figures()["frame_rate_hz"] == 0.0
    assert one.stage.figures()["latency_ms"] is None


def test_events_are_numbered_and_each_watcher_gets_those_it_has_not_had(play) -> None:
    one = play().show(1.0, "happy")
    first = one.stage.events_after(0)
    assert [(told.number, told.event.kind) for told in first] == [(1, EventKind.APPEARED)]
    one.show(2.0, "sad")
    assert [told.number for told in one.stage.events_after(1)] == [2]
    assert one.stage.events_after(2) == []


def test_replay_of_the_last_minutes_gives_the_very_events(play) -> None:
    one = play().show(2.0, "happy").show(2.0, "sad").show(2.0, None)
    events = [told.event for told in one.stage.events_after(0)]
    assert [event.kind for event in events] == [EventKind.APPEARED, EventKind.CHANGED, EventKind.GONE]
    again = replay(one.stage.recording())
    assert [(e.kind, e.at, e.face, e.emotion, e.confidence, e.box, e.duration_s) for e in again] == [
        (e.kind, e.at, e.face, e.emotion, e.confidence, e.box, e.duration_s) for e in events
    ]


def test_no_more_is_kept_than_the_minutes_that_are_asked_for(play) -> None:
    one = play(minutes=0.1).show(20.0, "happy")
    assert one.stage.recording().seconds == pytest.approx(6.0, abs=0.11)


def test_no_more_steps_are_kept_than_memory_is_meant_for_and_the_newest_stay(play) -> None:
    stage = play(minutes=60.0).stage
    for number in range(20_050):  # ten a second: more than 33 minutes of the hour
        stage.on_tick(Decision((), (), ()), number / 10)
    steps = stage.recording().parts[0].steps
    assert (len(steps), steps[0].now, steps[-1].now) == (20_000, 5.0, 2004.9)


def test_picture_of_a_camera_that_is_away_is_taken_down_and_that_of_a_film_at_its_end_stays(play) -> None:
    stage = play().show(0.1, "happy").stage
    stage.states("ended", "", "connected", connected=True)
    assert stage.view.image is not None
    stage.states("lost", "unplugged", "connected", connected=True)
    assert stage.view.image is None
    assert (stage.view.camera, stage.view.camera_reason) == ("lost", "unplugged")


def test_state_that_is_no_news_wakes_nobody(play) -> None:
    stage = play().stage
    stage.states("running", "", "connected", connected=True)
    number = stage.view.number
    stage.states("running", "", "connected", connected=True)
    assert stage.view.number == number
    assert stage.after(number, 0.0).number == number
