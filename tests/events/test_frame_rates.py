"""The same score curve gives the same events at 5 and at 30 fps, at most one 5-fps frame apart."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import EventDetector
from fer_edge.types import Box, Event, EventKind, Face

FRAME_S = 0.2  # of 5 fps


def replayed(knots, rate_hz, seconds, decide=None) -> list[Event]:
    """Events of one face whose scores are interpolated between knots: [(second, vector), ...]."""
    detector = EventDetector(DecideSettings() if decide is None else decide, lost_s=2.0)
    times = [at for at, _ in knots]
    vectors = np.array([vector for _, vector in knots])
    events: list[Event] = []
    frames = np.arange(round(seconds * rate_hz)) / rate_hz
    scores = np.array([np.interp(frames, times, vectors[:, k]) for k in range(7)], np.float32).T
    for now, vector in zip(frames.tolist(), scores, strict=True):
        events += detector.update([Face(1, Box(0, 0, 1, 1), 0.0, now, vector)], now).events
    return [*events, *detector.close(seconds, "stopped")]


def kinds(events) -> list[tuple[EventKind, str | None, str | None]]:
    return [(event.kind, event.previous, event.emotion) for event in events]


def alike(knots, seconds, rate_hz=30, decide=None) -> None:
    slow, fast = replayed(knots, 5, seconds, decide), replayed(knots, rate_hz, seconds, decide)
    assert kinds(slow) == kinds(fast)
    for one, other in zip(slow, fast, strict=True):
        assert abs(one.at - other.at) <= FRAME_S + 1e-6


@pytest.mark.parametrize("offset", [0.0, 0.03, 0.07, 0.11, 0.15, 0.19])
@pytest.mark.parametrize("rate_hz", [10, 15, 30])
def test_smile_is_reported_at_the_same_time_at_any_rate(scores, offset, rate_hz):
    neutral, happy = scores(neutral=0.85), scores(happy=0.9)
    knots = [(0, neutral), (2.0 + offset, neutral), (2.4 + offset, happy), (6 + offset, happy), (6.5 + offset, neutral)]
    alike(knots, 10.0, rate_hz)
    assert [event.emotion for event in replayed(knots, rate_hz, 10.0)] == ["neutral", "happy", "neutral", "neutral"]


def test_grimace_shorter_than_smoothing_and_dwell_is_reported_at_no_rate(scores):
    neutral, angry = scores(neutral=0.8), scores(angry=0.8)
    knots = [(0, neutral), (3.0, neutral), (3.1, angry), (3.3, angry), (3.4, neutral), (9, neutral)]
    for rate_hz in (5, 30):
        assert [event.emotion for event in replayed(knots, rate_hz, 9.0)] == ["neutral", "neutral"]


def test_slow_decline_is_reported_at_the_same_time_at_both_rates(scores):
    knots = [(0, scores(happy=0.9)), (3, scores(happy=0.9)), (4.3, scores(happy=0.2)), (9, scores(happy=0.2))]
    alike(knots, 9.0)
    assert [event.emotion for event in replayed(knots, 30, 9.0)] == ["happy", None, None]


plateau = st.tuples(
    st.integers(0, 6), st.floats(0.2, 0.97), st.floats(1.5, 4.0), st.floats(0.1, 1.0)
)  # strongest expression, its score, seconds it lasts, seconds to the next


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.lists(plateau, min_size=1, max_size=4))
def test_any_curve_that_does_not_depend_on_one_frame_gives_the_same_events(plateaus):
    knots, now = [], 0.0
    for index, strength, lasts_s, transition_s in plateaus:
        vector = np.full(7, (1 - strength) / 6)
        vector[index] = strength
        knots += [(now, vector), (now + lasts_s, vector)]
        now += lasts_s + transition_s
    # Where a slightly different setting gives other events at 30 fps, one frame more or less may do so at 5 fps.
    # Only curves that are robust at 30 fps are compared.
    default = DecideSettings()
    variants = [
        kinds(replayed(knots, 30, now, replace(default, dwell_s=dwell_s, enter=enter, leave=leave)))
        for dwell_s in (default.dwell_s - FRAME_S, default.dwell_s + FRAME_S)
        for enter in (default.enter - 0.02, default.enter + 0.02)
        for leave in (default.leave - 0.02, default.leave + 0.02)
    ]
    assume(all(variant == variants[0] for variant in variants))
    alike(knots, now)
