import numpy as np

from fer_edge.mqtt.publisher import StateDebounce
from fer_edge.types import Box, FaceState, Outcome


def verdict(face: int, emotion: str | None, confidence: float = 0.8, width: float = 1.0) -> FaceState:
    scores = np.full(7, 1 / 7, np.float32)
    return FaceState(face, Box(0, 0, width, 1), emotion, confidence, scores, since=0.0, outcome=Outcome.HELD)


def test_first_state_is_due_at_once_and_the_same_again_never() -> None:
    pace = StateDebounce(interval_s=1.0)
    assert pace.is_due([], "running", 0.0)
    assert not pace.is_due([], "running", 100.0)


def test_change_waits_for_the_interval_and_is_not_lost() -> None:
    pace = StateDebounce(interval_s=1.0)
    pace.is_due([], "running", 0.0)
    assert not pace.is_due([verdict(1, "happy")], "running", 0.4)
    assert not pace.is_due([verdict(1, "happy")], "running", 0.9)
    assert pace.is_due([verdict(1, "happy")], "running", 1.0)


def test_change_that_went_back_before_the_interval_was_over_is_not_told() -> None:
    pace = StateDebounce(interval_s=1.0)
    pace.is_due([verdict(1, "happy")], "running", 0.0)
    assert not pace.is_due([verdict(1, None)], "running", 0.5)
    assert not pace.is_due([verdict(1, "happy")], "running", 1.5)


def test_forgetting_makes_the_same_state_due_at_once() -> None:
    pace = StateDebounce(interval_s=1.0)
    pace.is_due([], "running", 0.0)
    pace.reset()
    assert pace.is_due([], "running", 0.1)


def test_other_emotion_other_face_other_camera_and_a_tenth_of_confidence_are_changes() -> None:
    for changed, camera in (
        ([verdict(1, "sad")], "running"),
        ([verdict(2, "happy")], "running"),
        ([verdict(1, "happy"), verdict(2, None)], "running"),
        ([verdict(1, "happy")], "lost"),
        ([verdict(1, "happy", confidence=0.69)], "running"),
    ):
        pace = StateDebounce(interval_s=1.0)
        pace.is_due([verdict(1, "happy")], "running", 0.0)
        assert pace.is_due(changed, camera, 2.0)


def test_faces_that_swap_their_sizes_are_a_change_and_one_that_only_grows_is_not() -> None:
    pace = StateDebounce(interval_s=1.0)
    assert pace.is_due([verdict(1, "happy", width=0.3), verdict(2, "sad", width=0.2)], "running", 0.0)
    assert not pace.is_due([verdict(1, "happy", width=0.5), verdict(2, "sad", width=0.2)], "running", 2.0)
    assert pace.is_due([verdict(1, "happy", width=0.2), verdict(2, "sad", width=0.3)], "running", 4.0)
    assert not pace.is_due([verdict(1, "happy", width=0.2), verdict(2, "sad", width=0.3)], "running", 6.0)


def test_wandering_confidence_is_not_a_change_until_it_adds_up() -> None:
    pace = StateDebounce(interval_s=0.1)
    pace.is_due([verdict(1, "happy", 0.80)], "running", 0.0)
    assert not pace.is_due([verdict(1, "happy", 0.85)], "running", 1.0)
    assert not pace.is_due([verdict(1, "happy", 0.89)], "running", 2.0)
    assert pace.is_due([verdict(1, "happy", 0.91)], "running", 3.0)
