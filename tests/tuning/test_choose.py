"""Changes of settings, one assignment each."""

import pytest

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.errors import SettingsError
from fer_edge.tuning.search import with_changes, with_enter, with_floor


def test_keys_are_named_with_or_without_their_section() -> None:
    decide = with_changes(
        DecideSettings(), ["decide.enter=0.6", "dwell_s=1", "happy.enter=0.7", "decide.emotions.sad.leave=0.2"]
    )
    assert (decide.enter, decide.dwell_s) == (0.6, 1.0)
    assert decide.emotions == {"happy": Threshold(enter=0.7), "sad": Threshold(leave=0.2)}


def test_keys_without_an_assignment_keep_their_value() -> None:
    before = DecideSettings(smooth_s=1.0, emotions={"fear": Threshold(enter=0.9)})
    assert with_changes(before, []) == before
    assert with_changes(before, ["fear.leave=0.5"]).emotions == {"fear": Threshold(enter=0.9, leave=0.5)}


@pytest.mark.parametrize(
    ("assignment", "word"),
    [
        ("enter", "must be KEY=VALUE"),
        ("=0.5", "must be KEY=VALUE"),
        ("entre=0.5", "entre"),
        ("enter=2", "between 0 and 1, got 2"),
        ("enter=high", "got 'high'"),
        ("enter={", "cannot be read"),
        ("enter=!!bool x", "cannot be read"),
        ('enter=!!int ""', "cannot be read"),
        ("enter=!!timestamp x", "cannot be read"),
        ("enter=" + "[" * 5000, "cannot be read"),
        ("enter=2024-13-45", "cannot be read"),
        ("enter=2024-12-24", "must be"),
        ("leave=0.9", "must be at most decide.enter"),
        ("bored.enter=0.5", "bored"),
    ],
)
def test_invalid_assignment_is_named(assignment: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as caught:
        with_changes(DecideSettings(), [assignment])
    assert str(caught.value).startswith("--set ")
    assert "\n" not in str(caught.value)


def test_leave_keeps_its_distance_below_a_raised_enter_and_is_never_below_zero() -> None:
    decide = DecideSettings(enter=0.5, leave=0.35)
    assert with_enter(decide, "happy", 0.8).thresholds("happy") == (0.8, pytest.approx(0.65))
    assert with_enter(decide, "happy", 0.1).thresholds("happy") == (0.1, 0.0)
    assert with_enter(decide, "happy", 0.8).thresholds("sad") == (0.5, 0.35)


def test_floor_raises_lower_thresholds_and_keeps_higher_ones() -> None:
    decide = with_floor(DecideSettings(enter=0.5, leave=0.35, emotions={"fear": Threshold(enter=0.9)}), 0.7)
    assert decide.thresholds("happy") == (0.7, pytest.approx(0.55))
    assert decide.thresholds("fear") == (0.9, 0.35)
