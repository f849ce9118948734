"""Thresholds have hysteresis, and the moment they were met lies between frames."""

import pytest

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import apply_hysteresis, crossing_fraction, resolve_thresholds

HAPPY, SAD, NEUTRAL = (EMOTIONS.index(name) for name in ("happy", "sad", "neutral"))
RULES = resolve_thresholds(DecideSettings(enter=0.6, leave=0.4), lost_s=2.0)


def test_the_strongest_is_believed_from_its_enter_threshold_on(scores):
    assert apply_hysteresis(scores(happy=0.61), None, RULES) == HAPPY
    assert apply_hysteresis(scores(happy=0.59), None, RULES) is None


def test_what_is_held_is_believed_down_to_its_leave_threshold(scores):
    assert apply_hysteresis(scores(happy=0.41), HAPPY, RULES) == HAPPY
    assert apply_hysteresis(scores(happy=0.39), HAPPY, RULES) is None


def test_what_is_held_stays_though_a_stronger_one_is_below_its_enter_threshold(scores):
    assert apply_hysteresis(scores(happy=0.41, sad=0.55), HAPPY, RULES) == HAPPY


def test_a_stronger_one_above_its_threshold_replaces_what_is_held(scores):
    low = resolve_thresholds(DecideSettings(enter=0.45, leave=0.3), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.4, sad=0.5), HAPPY, low) == SAD


def test_a_draw_goes_to_what_is_held(scores):
    low = resolve_thresholds(DecideSettings(enter=0.45, leave=0.3), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.45, sad=0.45), SAD, low) == SAD
    assert apply_hysteresis(scores(happy=0.45, sad=0.45), HAPPY, low) == HAPPY


def test_an_expression_of_its_own_thresholds_ignores_the_common_ones(scores):
    own = {"happy": Threshold(enter=0.9, leave=0.8), "sad": Threshold(enter=0.3, leave=0.2)}
    rules = resolve_thresholds(DecideSettings(enter=0.6, leave=0.4, emotions=own), lost_s=2.0)
    assert apply_hysteresis(scores(happy=0.85), None, rules) is None
    assert apply_hysteresis(scores(happy=0.75), HAPPY, rules) is None
    assert apply_hysteresis(scores(sad=0.35), None, rules) == SAD
    assert apply_hysteresis(scores(sad=0.25, neutral=0.3), SAD, rules) == SAD
    assert apply_hysteresis(scores(neutral=0.65), None, rules) == NEUTRAL


def test_an_expression_with_only_one_threshold_of_its_own_takes_the_other_from_the_common_ones(scores):
    rules = resolve_thresholds(
        DecideSettings(enter=0.6, leave=0.4, emotions={"happy": Threshold(enter=0.9)}), lost_s=2.0
    )
    assert apply_hysteresis(scores(happy=0.85), None, rules) is None
    assert apply_hysteresis(scores(happy=0.45), HAPPY, rules) == HAPPY


def test_the_crossing_is_where_the_straight_line_meets_the_threshold(scores):
    before, after = scores(happy=0.5), scores(happy=0.9)
    met = crossing_fraction(before, after, lambda mean: apply_hysteresis(mean, None, RULES) == HAPPY)
    assert met == pytest.approx(0.25, abs=1 / 64)  # 0.6 is a quarter of the way from 0.5 to 0.9
