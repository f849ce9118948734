"""Stories of what arrived: each event is written as its seq, a gap as `(from, to)`."""

from typing import Any

import pytest

from fer_edge.subscriber.audit import Audit


def event(seq: int, boot: str = "a", **others: Any) -> dict[str, Any]:
    known = {
        "id": f"{boot}-{seq}",
        "device": "porch",
        "event_type": "emotion_changed",
        "face": 1,
        "uptime_s": seq / 10,
        "reason": None,
        "missing": None,
        "replayed": False,
    }
    return {**known, **others}


def gap(first: int, last: int | None, boot: str = "a", of: str | None = None, own: int | None = None) -> dict[str, Any]:
    missing = {"boot": of or boot, "from": first, "to": last}
    return event(own or last or 0, boot, event_type="gap", face=None, reason="queue_full", missing=missing)


def judge(*arrived: int | tuple[int, int] | dict[str, Any], from_start: bool = False) -> Audit:
    audit = Audit(from_start=from_start)
    for one in arrived:
        audit.take(event(one) if isinstance(one, int) else gap(*one) if isinstance(one, tuple) else one)
    return audit


def test_events_in_their_order_are_well_from_wherever_the_span_begins():
    audit = judge(5, 6, 7)
    assert audit.problems() == []
    (report,) = audit.reports()
    assert (report.first, report.last, report.received) == (5, 7, 3)


def test_listener_who_was_there_before_the_daemon_misses_what_came_before_the_first():
    assert judge(3, 4, from_start=True).problems() == ["porch a: events 1 to 2 never arrived and no gap names them"]
    assert judge(1, 2, from_start=True).problems() == []
    assert judge((1, 2), 3, from_start=True).problems() == []


def test_hole_is_named_and_one_that_a_gap_names_is_none():
    assert judge(1, 2, 4).problems() == ["porch a: event 3 never arrived and no gap names them"]
    assert judge(1, 2, (3, 3), 4).problems() == []
    assert judge(1, (2, 9), 10).reports()[0].announced == 8


def test_gap_that_begins_too_late_leaves_a_hole():
    assert judge(1, (4, 6), 7).problems() == ["porch a: events 2 to 3 never arrived and no gap names them"]


def test_gap_may_name_what_has_arrived_and_may_grow():
    audit = judge(1, 2, 3, (2, 5), (2, 8), 9)
    assert audit.problems() == []
    assert audit.reports()[0].announced == 5


def test_double_is_the_same_event_under_the_same_id():
    audit = judge(1, 2, event(2, replayed=True), 3)
    assert audit.problems() == []
    assert audit.reports()[0].doubles == 1
    assert judge(1, 2, event(2, confidence=0.5)).problems() == ["porch a: event 2 arrived again with different content"]


def test_one_event_under_two_numbers_is_a_problem():
    problems = judge(1, 2, event(3, uptime_s=0.2)).problems()
    assert problems == ["porch a: events 2 and 3 are one event under two numbers"]


def test_late_first_copy_is_disorder_and_not_missing():
    assert judge(1, 3, 2).problems() == ["porch a: event 2 arrived after later ones"]


def test_repetition_from_before_the_span_is_excused_only_where_it_says_so():
    assert judge(5, event(4, replayed=True), 6).problems() == []
    assert judge(5, 4, 6).problems() == ["porch a: event 4 arrived again and is not marked as replayed"]


def test_event_that_was_announced_as_missing_may_come():
    audit = judge(1, (2, 4), 3, 5)
    assert audit.problems() == []
    assert audit.reports()[0].received == 3


def test_boots_and_devices_count_for_themselves():
    audit = judge(7, event(1, "b"), event(2, "b"), event(1, "c", device="hall"), from_start=False)
    assert audit.problems() == []
    assert [(one.device, one.boot, one.last) for one in audit.reports()] == [
        ("porch", "a", 7),
        ("porch", "b", 2),
        ("hall", "c", 1),
    ]


def test_face_that_is_never_said_to_be_gone_is_a_problem_once_another_boot_is_heard_of():
    appeared = event(1, event_type="face_appeared")
    assert judge(appeared).problems() == []
    assert judge(appeared, event(1, "b")).problems() == ["porch a: faces [1] have no face_gone"]
    gone = event(2, event_type="face_gone", reason="restart")
    assert judge(appeared, gone, event(1, "b")).problems() == []


def test_boot_whose_end_is_said_to_be_unknown_is_excused():
    unknown = gap(2, None, "b", of="a", own=1)
    audit = judge(event(1, event_type="face_appeared"), unknown, event(2, "b"))
    assert audit.problems() == []
    assert [one.last for one in audit.reports()] == [1, 2]


def test_store_that_could_not_be_read_excuses_all_boots_before():
    corrupt = event(1, "b", event_type="gap", missing={"boot": None, "from": None, "to": None})
    audit = judge(event(1, event_type="face_appeared"), corrupt, event(2, "b"), from_start=True)
    assert audit.problems() == []
    assert [one.last for one in audit.reports()] == [1, 2]


def test_face_that_appears_again_without_having_gone_is_a_problem():
    appeared = event(1, event_type="face_appeared")
    twice = judge(appeared, event(2, event_type="face_appeared"))
    assert twice.problems() == ["porch a: face 1 appeared twice"]


def test_what_is_no_event_is_a_problem_and_does_not_end_the_audit():
    audit = judge({"id": "a-x", "device": "porch"}, {"id": "a-1"}, 1, 2)
    assert len(audit.problems()) == 2
    assert audit.reports()[0].received == 2


def test_gap_whose_range_and_number_contradict_each_other_is_a_problem():
    wrong = event(9, event_type="gap", missing={"from": 2, "to": 4})
    assert "a gap from 2 to 4 under the number 9" in judge(1, wrong).problems()[0]


@pytest.mark.parametrize(
    "strange",
    [
        {"face": "x", "event_type": "face_appeared"},
        {"face": [1], "event_type": "face_appeared"},
        {"device": []},
        {"id": 7},
        {"id": "a-" + "9" * 5000},
        {"missing": 7},
        {"missing": {"from": "1", "to": "2"}},
        {"missing": {"from": 10**40, "to": 10**40}},
        {"face": 10**40},
        {"uptime_s": 10**400},
    ],
)
def test_event_with_values_of_another_kind_is_a_problem_and_no_crash(strange):
    audit = judge(event(1, event_type="face_appeared"), {**event(2), **strange}, event(2, boot="b"))
    audit.problems()
    audit.reports()
    assert audit.events == 3
