import pytest

from fer_edge.subscriber.format import describe

EVENT = {"event_type": "face_appeared", "face": 7, "emotion": "happy", "confidence": 0.934, "previous": None,
         "duration_s": None, "reason": None, "replayed": False}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, "face 7 appeared, happy 93%"),
        ({"emotion": None, "confidence": 0.3}, "face 7 appeared, unsure"),
        (
            {"event_type": "emotion_changed", "previous": "sad", "duration_s": 3.21},
            "face 7 changed from sad to happy 93%, after 3.2 s",
        ),
        (
            {"event_type": "emotion_changed", "previous": None, "duration_s": 1, "emotion": None},
            "face 7 changed from unsure to unsure, after 1.0 s",
        ),
        ({"event_type": "face_gone", "reason": "left", "duration_s": 12.0}, "face 7 gone (left), visible for 12.0 s"),
        (
            {"event_type": "gap", "reason": "queue_full", "missing": {"from": 3, "to": 9}},
            "events 3 to 9 are missing: queue_full",
        ),
        ({"replayed": True}, "face 7 appeared, happy 93% (replayed)"),
        ({"event_type": "face_waved"}, "face 7 face_waved"),
    ],
)
def test_event_reads_as_a_sentence(change: dict[str, object], line: str) -> None:
    assert describe("event", EVENT | change) == line


def test_state_names_each_face_or_says_that_nobody_is_there() -> None:
    faces = [{"face": 1, "emotion": "happy", "confidence": 0.9}, {"face": 2, "emotion": None, "confidence": 0.4}]
    assert describe("state", {"camera": "running", "faces": []}) == "no faces"
    assert describe("state", {"camera": "lost", "faces": []}) == "no faces (camera lost)"
    assert describe("state", {"camera": "running", "faces": faces[:1]}) == "1 face: 1 happy 90%"
    assert describe("state", {"camera": "running", "faces": faces}) == "2 faces: 1 happy 90%, 2 unsure"


def test_plain_text_and_unknown_kinds_are_shown_as_they_came() -> None:
    assert describe("availability", "online") == "online"
    assert describe("weather", {"sun": 1}) == "{'sun': 1}"
