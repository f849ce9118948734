"""Whatever the scores, gaps and frame intervals: the events of a face tell one story without contradictions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import EventDetector
from fer_edge.types import Box, Event, EventKind, Face, Outcome, RejectReason

BOX = Box(0.1, 0.1, 0.2, 0.2)
LOST_S = 1.0

# One frame: seconds since the one before, and for each of two faces: away, unreadable, or its strongest expression.
looks = st.one_of(st.none(), st.just(RejectReason.BLURRED), st.tuples(st.integers(0, 6), st.floats(0.15, 1.0)))
steadier = st.lists(st.tuples(st.floats(0.01, 0.6), looks, looks, st.integers(1, 8)), min_size=1, max_size=25)
rules = st.builds(
    lambda smooth_s, enter, leave, dwell_s, arrive_s: DecideSettings(
        smooth_s=smooth_s, enter=enter, leave=leave * enter, dwell_s=dwell_s, arrive_s=arrive_s
    ),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.floats(0.2, 0.9),
    st.floats(0.3, 1.0),
    st.sampled_from([0.0, 0.2, 0.5, 1.5]),
    st.sampled_from([0.0, 0.3, 0.5, 2.0]),
)


class Stage:
    """Two actors with the track ids that a tracker would give them: a new one after LOST_S out of sight."""

    def __init__(self, decide: DecideSettings) -> None:
        self.decider = EventDetector(decide, LOST_S)
        self.events: list[Event] = []
        self.seen: dict[int, int] = {}  # frames by track id
        self._tracks: dict[int, tuple[int, float, float]] = {}  # by actor: track id, first seen, last seen
        self._next = 1

    def frame(self, acts, now: float) -> None:
        faces = [self._face(actor, act, now) for actor, act in enumerate(acts) if act is not None]
        decision = self.decider.update(faces, now)
        assert [verdict.face for verdict in decision.in_frame] == [face.id for face in faces]
        assert all(verdict.scores.sum() == pytest.approx(1.0, abs=1e-4) for verdict in decision.verdicts)
        self.events += decision.events
        appeared = {event.face for event in self.events if event.kind is EventKind.APPEARED}
        for verdict in decision.verdicts:
            assert (verdict.outcome is Outcome.ARRIVING) == (verdict.face not in appeared)

    def _face(self, actor: int, act, now: float) -> Face:
        track, first, last = self._tracks.get(actor, (0, now, -np.inf))
        if now - last >= LOST_S:
            track, first, self._next = self._next, now, self._next + 1
        self._tracks[actor] = (track, first, now)
        self.seen[track] = self.seen.get(track, 0) + 1
        if isinstance(act, RejectReason):
            return Face(track, BOX, first, now, None, act)
        index, strength = act
        vector = np.full(7, (1 - strength) / 6, np.float32)
        vector[index] = strength
        return Face(track, BOX, first, now, vector)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(steadier, rules)
def test_every_face_appears_first_changes_from_what_it_was_and_goes_last(script, decide):
    stage, now = Stage(decide), 0.0
    for step_s, one, other, repeats in script:
        for _ in range(repeats):
            now += step_s
            stage.frame((one, other), now)
    stage.events += stage.decider.close(now, "stopped")
    assert all(before.at <= after.at for before, after in pairwise(stage.events))
    for track in stage.seen:
        _check_story([event for event in stage.events if event.face == track], decide)


def _check_story(story: list[Event], decide: DecideSettings) -> None:
    if not story:
        return
    kinds = [event.kind for event in story]
    assert kinds == [EventKind.APPEARED, *[EventKind.CHANGED] * (len(story) - 2), EventKind.GONE]
    for before, after in pairwise(story[:-1]):
        assert after.previous == before.emotion
        assert after.emotion != before.emotion
        assert after.duration_s >= decide.dwell_s - 1e-5
        if before.kind is EventKind.CHANGED:
            assert after.at - before.at >= decide.dwell_s - 1e-5
            assert after.duration_s == pytest.approx(after.at - before.at)
    assert story[-1].emotion == story[-2].emotion
    assert story[-1].duration_s >= decide.arrive_s - 1e-5


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(steadier, rules)
def test_the_time_of_day_changes_nothing(script, decide):
    # A device that has been up for 40 days must decide as it did in its first minute.
    stories = []
    for start in (0.0, 40 * 86400.0):
        stage, now = Stage(decide), start
        for step_s, one, other, repeats in script:
            for _ in range(repeats):
                now += round(step_s * 1024) / 1024  # exact at both ends, so that only the size of `now` differs
                stage.frame((one, other), now)
        stories.append([(event.kind, event.face, event.emotion, event.at - start) for event in stage.events])
    assert stories[0] == stories[1]
