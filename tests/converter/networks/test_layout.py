"""The layout of made-up networks must be inferred correctly, or not at all."""

import numpy as np
import pytest

from converter.networks.layout import (
    ORDERS,
    RANGES,
    Layout,
    Scaling,
    as_logits,
    choose_layout,
    find_layout,
    output_kind,
    parse_labels,
)
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError

TRUTH = np.repeat(np.arange(7), 60)
SIGNED, UNIT, RAW = RANGES["-1,1"], RANGES["0,1"], RANGES["0,255"]


def answers(labels: tuple[str, ...], right: float, seed: int = 0) -> np.ndarray:
    """(420, 7) logits in the order ``labels`` of a network that is right about the part ``right`` of the faces."""
    generator = np.random.default_rng(seed)
    said = np.where(generator.random(len(TRUTH)) < right, TRUTH, generator.integers(0, 7, len(TRUTH)))
    logits = generator.normal(scale=0.5, size=(len(TRUTH), 7))
    for row, label in zip(logits, said, strict=True):
        row[labels.index(EMOTIONS[label])] += 3
    return logits


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_and_the_scaling_that_fit_the_faces_win(name: str):
    tried = {SIGNED: answers(ORDERS[name], 0.5), UNIT: answers(ORDERS[name], 0.6), RAW: answers(ORDERS[name], 0.1)}
    finding = find_layout(tried, TRUTH, ORDERS.values())
    assert finding.layout == Layout(UNIT, ORDERS[name])
    assert finding.runner_up == Layout(SIGNED, ORDERS[name])  # nearer than the same scaling in another order
    assert finding.faces == 420


def test_a_network_that_reads_two_scalings_alike_is_not_guessed_at():
    tried = {SIGNED: answers(EMOTIONS, 0.6, seed=1), UNIT: answers(EMOTIONS, 0.6, seed=2)}
    with pytest.raises(UserError, match=r"too close to tell .* give --range$"):
        find_layout(tried, TRUTH, [EMOTIONS])


def test_scalings_that_differ_in_confidence_alone_are_distinguished_by_it():
    # Without biases a network only multiplies its logits: the same answers, 255 times as sure.
    modest = answers(EMOTIONS, 0.6)
    assert find_layout({UNIT: modest, RAW: modest * 255}, TRUTH, [EMOTIONS]).layout.scaling == UNIT


def test_orders_that_only_differ_in_classes_the_faces_do_not_show_are_not_guessed_at():
    happy = np.full(60, EMOTIONS.index("happy"))
    said = answers(EMOTIONS, 0.9)[EMOTIONS.index("happy") == TRUTH]
    with pytest.raises(UserError, match=r"give --labels$"):
        find_layout({UNIT: said}, happy, [ORDERS["fer2013"], ("disgust", "angry", *EMOTIONS[2:])])


def test_the_layout_of_a_network_at_chance_is_not_inferred():
    with pytest.raises(UserError, match=r"cannot be found.*give --range and --labels"):
        find_layout({scaling: answers(EMOTIONS, 0.0) for scaling in (SIGNED, UNIT)}, TRUTH, ORDERS.values())


def test_an_unusual_order_is_suggested_and_not_taken():
    strange = ("happy", "angry", "surprise", "disgust", "neutral", "fear", "sad")
    tried = {UNIT: answers(strange, 0.9)}
    with pytest.raises(UserError, match=r"confirm it with --labels happy,angry,surprise,disgust,neutral,fear,sad$"):
        find_layout(
            tried | {SIGNED: answers(EMOTIONS, 0.35)}, TRUTH, [("neutral", "happy", *strange[1:4], "fear", "sad")]
        )


def test_a_given_layout_is_not_inferred():
    def never(_scaling: Scaling, _indices: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was asked")

    assert choose_layout(never, TRUTH, UNIT, EMOTIONS) == (Layout(UNIT, EMOTIONS), "")


def test_only_what_is_not_given_is_tried():
    tried = []

    def infer(scaling: Scaling, indices: np.ndarray) -> np.ndarray:
        tried.append(scaling)
        return answers(ORDERS["affectnet"], 0.6)[indices]

    layout, how = choose_layout(infer, TRUTH, UNIT, None)
    assert tried == [UNIT]
    assert layout.labels == ORDERS["affectnet"]
    assert how.startswith("[0, 1] in affectnet order reads 6")


def test_every_usual_order_has_each_expression_once():
    assert all(sorted(order) == sorted(EMOTIONS) for order in ORDERS.values())
    assert len(set(ORDERS.values())) == len(ORDERS)


def test_labels_are_a_known_order_or_seven_names_in_any_spelling():
    assert parse_labels("alphabetical") == tuple(sorted(EMOTIONS))
    spelt = "Anger, disgusted,scared,Happiness,sadness,surprised,calm"
    assert parse_labels(spelt) == EMOTIONS


@pytest.mark.parametrize(
    "wrong", ["", "fer", "angry,happy", "angry,angry,fear,happy,sad,surprise,neutral", "a,b,c,d,e,f,g"]
)
def test_labels_that_are_not_the_seven_are_refused_in_one_line(wrong: str):
    with pytest.raises(UserError, match=r"^--labels must be one of fer2013, .* exactly once") as caught:
        parse_labels(wrong)
    assert "\n" not in str(caught.value)


def test_probabilities_are_known_by_their_sum_also_when_rounded_to_8_bits():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), 200)
    assert output_kind(probabilities) == "probabilities"
    assert output_kind(np.round(probabilities * 256) / 256) == "probabilities"
    assert output_kind(np.log(probabilities)) == "logits"
    assert output_kind(probabilities * 0.9) == "logits"


def test_logits_of_probabilities_are_their_logarithms_and_of_a_nothing_finite():
    assert as_logits(np.array([[1.0, 0, 0, 0, 0, 0, 0]]), "probabilities")[0, :2] == pytest.approx(
        [0, -16.118], abs=1e-3
    )
    assert as_logits(np.array([[1.0, -2, 0, 0, 0, 0, 0]]), "logits")[0, 1] == -2
