"""Defaults, file, overrides: who wins, what is taken back, and where each value came from."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.config.loader import settle
from fer_edge.config.model import Settings
from fer_edge.config.runtime import amended, check_change, origins, overlaid


def complaints(change: dict) -> list[str]:
    return [str(mistake) for mistake in check_change(change)]


def test_override_wins_over_the_file_and_leaves_its_neighbours() -> None:
    file = {"decide": {"enter": 0.6, "leave": 0.3, "emotions": {"sad": {"enter": 0.9}}}}
    above = {"decide": {"enter": 0.7, "emotions": {"sad": {"leave": 0.4}, "happy": {"enter": 0.8}}}}
    assert overlaid(file, above) == {
        "decide": {
            "enter": 0.7,
            "leave": 0.3,
            "emotions": {"sad": {"enter": 0.9, "leave": 0.4}, "happy": {"enter": 0.8}},
        }
    }
    assert file["decide"]["enter"] == 0.6


def test_null_takes_back_a_value_or_a_section_and_leaves_nothing_empty_behind() -> None:
    before = {"decide": {"enter": 0.7, "emotions": {"sad": {"enter": 0.9}}}, "gates": {"min_width_px": 40}}
    assert amended(before, {"decide": {"enter": None}}) == {
        "decide": {"emotions": {"sad": {"enter": 0.9}}},
        "gates": {"min_width_px": 40},
    }
    assert amended(before, {"decide": {"emotions": {"sad": {"enter": None}}}})["decide"] == {"enter": 0.7}
    assert amended(before, {"decide": None, "gates": None}) == {}
    assert amended({}, {"decide": {"enter": None}}) == {}
    assert before["decide"]["enter"] == 0.7


def test_change_that_is_right_has_no_mistakes() -> None:
    assert complaints({"decide": {"enter": 0.6, "emotions": {"sad": None}}, "gates": None, "log_level": "debug"}) == []
    assert complaints({}) == []


def test_all_mistakes_of_a_change_are_named_at_once() -> None:
    change = {
        "decide": {"entr": 0.5, "leave": 1.7, "emotions": {"glad": {"enter": 1}}},
        "gates": {"min_width_px": "40"},
        "mqtt": {"host": "elsewhere"},
        "decid": None,
    }
    assert complaints(change) == [
        "decide.entr: unknown key, did you mean enter?",
        "decide.leave: must be a number between 0 and 1, got 1.7",
        "decide.emotions.glad: unknown key; there are angry, disgust, fear, happy, neutral, sad, surprise",
        "gates.min_width_px: must be a whole number between 8 and 1000, got '40'",
        "decid: unknown key, did you mean decide?",
        ("mqtt: cannot be changed at run time, only log_level, gates, decide, publish can: edit config.yaml"),
    ]


def test_value_of_the_wrong_shape_is_a_mistake_and_not_a_crash() -> None:
    huge = 10**400
    for value in ([], [1], "text", 5, True, huge, {"enter": {"deep": [{}]}}, {"enter": []}, {"enter": huge}):
        assert len(complaints({"decide": value})) == 1, value


def test_thresholds_that_contradict_the_file_are_found() -> None:
    settings, mistakes = settle(overlaid({"decide": {"leave": 0.4}}, {"decide": {"enter": 0.3}}))
    assert settings is None
    assert [str(one) for one in mistakes] == ["decide.leave: must be at most decide.enter (0.3), got 0.4"]


def test_every_value_tells_where_it_came_from() -> None:
    given = {"decide": {"enter": 0.5, "emotions": {"sad": {"enter": 0.9}}}}
    overrides = {"decide": {"leave": 0.2, "emotions": {"sad": {"leave": 0.1}}}}
    settings, _ = settle(overlaid(given, overrides))
    assert settings is not None
    table = origins(settings, given, overrides)
    assert table["decide"]["enter"] == {"value": 0.5, "from": "file"}, "also where the file says the default"
    assert table["decide"]["leave"] == {"value": 0.2, "from": "override"}
    assert table["decide"]["dwell_s"] == {"value": Settings().decide.dwell_s, "from": "default"}
    assert table["decide"]["emotions"]["sad"] == {
        "enter": {"value": 0.9, "from": "file"},
        "leave": {"value": 0.1, "from": "override"},
    }
    assert table["decide"]["emotions"]["happy"]["enter"] == {"value": None, "from": "default"}
    assert table["log_level"] == {"value": "info", "from": "default"}
    assert not {"mqtt", "camera", "device"} & set(table)


KEYS = st.sampled_from(["decide", "gates", "emotions", "sad", "enter", "publish", "mqtt", "x", "", "a\nb", "<<"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
CHANGES = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
)


@settings(deadline=None, max_examples=40)
@given(CHANGES)
def test_change_of_any_form_is_settings_or_lines_that_can_be_printed(change: dict) -> None:
    lines = complaints(change)
    if not lines:
        settle(overlaid({}, amended({}, change)))
    assert all(line.isprintable() for line in lines)


def test_change_that_is_nested_too_deeply_is_a_mistake() -> None:
    change: dict = {}
    for _ in range(5000):
        change = {"decide": change}
    assert complaints(change) == ["nested too deeply"]
