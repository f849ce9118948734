"""Properties of event sequences for any scores, gaps and frame intervals."""

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

# One frame: seconds since the one before, and for each of two faces: absent, rejected, or its strongest expression.
appearance = st.one_of(st.none(), st.just(RejectReason.BLURRED), st.tuples(st.integers(0, 6), st.floats(0.15, 1.0)))
scripts = st.lists(st.tuples(st.floats(0.01, 0.6), appearance, appearance, st.integers(1, 8)), min_size=1, max_size=25)
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


class TwoFaces:
    """Two faces with the track ids that a tracker would give them: a new one after LOST_S out of sight."""

    def __init__(self, decide: DecideSettings) -> None:
        self.detector = EventDetector(decide, LOST_S)
        self.events: list[Event] = []
        self.seen: dict[int, int] = {}  # frames by track id
        self._tracks: dict[int, tuple[int, float, float]] = {}  # by actor: track id, first seen, last seen
        self._next = 1

    def frame(self, acts, now: float) -> None:
        faces = [self._face(actor, act, now) for actor, act in enumerate(acts) if act is not None]
        decision = self.detector.update(faces, now)
        assert [state.face for state in decision.in_frame] == [face.id for face in faces]
        assert all(state.scores.sum() == pytest.approx(1.0, abs=1e-4) for state in decision.states)
        self.events += decision.events
        appeared = {event.face for event in self.events if event.kind is EventKind.APPEARED}
        for state in decision.states:
            assert (state.outcome is Outcome.ARRIVING) == (state.face not in appeared)

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
@given(scripts, rules)
def test_every_face_appears_first_changes_from_its_previous_expression_and_ends_gone(script, decide):
    faces_in_view, now = TwoFaces(decide), 0.0
    for step_s, one, other, repeats in script:
        for _ in range(repeats):
            now += step_s
            faces_in_view.frame((one, other), now)
    faces_in_view.events += faces_in_view.detector.close(now, "stopped")
    assert all(before.at <= after.at for before, after in pairwise(faces_in_view.events))
    for track in faces_in_view.seen:
        _check_events([event for event in faces_in_view.events if event.face == track], decide)


def _check_events(events: list[Event], decide: DecideSettings) -> None:
    if not events:
        return
    kinds = [event.kind for event in events]
    assert kinds == [EventKind.APPEARED, *[EventKind.CHANGED] * (len(events) - 2), EventKind.GONE]
    for before, after in pairwise(events[:-1]):
        assert after.previous == before.emotion
        assert after.emotion != before.emotion
        assert after.duration_s >= decide.dwell_s - 1e-5
        if before.kind is EventKind.CHANGED:
            assert after.at - before.at >= decide.dwell_s - 1e-5
            assert after.duration_s == pytest.approx(after.at - before.at)
    assert events[-1].emotion == events[-2].emotion
    assert events[-1].duration_s >= decide.arrive_s - 1e-5


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(scripts, rules)
def test_result_does_not_depend_on_the_clock_s_origin(script, decide):
    # A device that has been up for 40 days must decide as in its first minute.
    runs = []
    for start in (0.0, 40 * 86400.0):
        faces_in_view, now = TwoFaces(decide), start
        for step_s, one, other, repeats in script:
            for _ in range(repeats):
                now += round(step_s * 1024) / 1024  # exact at both ends, so that only the size of `now` differs
                faces_in_view.frame((one, other), now)
        runs.append([(event.kind, event.face, event.emotion, event.at - start) for event in faces_in_view.events])
    assert runs[0] == runs[1]
