"""Hysteresis of thresholds; their crossing between frames."""

import pytest

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import apply_hysteresis, crossing_fraction, resolve_thresholds

HAPPY, SAD, NEUTRAL = (EMOTIONS.index(name) for name in ("happy", "sad", "neutral"))
RULES = resolve_thresholds(DecideSettings(enter=0.6, leave=0.4), lost_s=2.0)


def test_strongest_expression_is_held_from_its_enter_threshold_on(scores):
    assert apply_hysteresis(scores(happy=0.61), None, RULES) == HAPPY
    assert apply_hysteresis(scores(happy=0.59), None, RULES) is None


def test_held_expression_stays_down_to_its_leave_threshold(scores):
    assert apply_hysteresis(scores(happy=0.41), HAPPY, RULES) == HAPPY
    assert apply_hysteresis(scores(happy=0.39), HAPPY, RULES) is None


def test_held_expression_stays_while_a_stronger_one_is_below_its_enter_threshold(scores):
    assert apply_hysteresis(scores(happy=0.41, sad=0.55), HAPPY, RULES) == HAPPY


def test_stronger_expression_above_its_threshold_replaces_the_held_one(scores):
    low = resolve_thresholds(DecideSettings(enter=0.45, leave=0.3), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.4, sad=0.5), HAPPY, low) == SAD


def test_tie_goes_to_the_held_expression(scores):
    low = resolve_thresholds(DecideSettings(enter=0.45, leave=0.3), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.45, sad=0.45), SAD, low) == SAD
    assert apply_hysteresis(scores(happy=0.45, sad=0.45), HAPPY, low) == HAPPY


def test_expression_with_its_own_thresholds_ignores_the_common_ones(scores):
    own = {"happy": Threshold(enter=0.9, leave=0.8), "sad": Threshold(enter=0.3, leave=0.2)}
    own_thresholds = resolve_thresholds(DecideSettings(enter=0.6, leave=0.4, emotions=own), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.85), None, own_thresholds) is None
    assert apply_hysteresis(scores(happy=0.75), HAPPY, own_thresholds) is None
    assert apply_hysteresis(scores(sad=0.35), None, own_thresholds) == SAD
    assert apply_hysteresis(scores(sad=0.25, neutral=0.3), SAD, own_thresholds) == SAD
    assert apply_hysteresis(scores(neutral=0.65), None, own_thresholds) == NEUTRAL


def test_expression_with_only_one_threshold_of_its_own_takes_the_other_from_the_common_ones(scores):
    own_thresholds = resolve_thresholds(
        DecideSettings(enter=0.6, leave=0.4, emotions={"happy": Threshold(enter=0.9)}), lost_s=2.0
    )
    assert apply_hysteresis(scores(happy=0.85), None, own_thresholds) is None
    assert apply_hysteresis(scores(happy=0.45), HAPPY, own_thresholds) == HAPPY


def test_crossing_is_where_linear_interpolation_meets_the_threshold(scores):
    before, after = scores(happy=0.5), scores(happy=0.9)
    crossed = crossing_fraction(before, after, lambda mean: apply_hysteresis(mean, None, RULES) == HAPPY)
    assert crossed == pytest.approx(0.25, abs=1 / 64)  # 0.6 is a quarter of the way from 0.5 to 0.9
