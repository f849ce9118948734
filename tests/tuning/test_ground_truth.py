"""Labels of a person, and the agreement with them."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.errors import UserError
from fer_edge.tuning.ground_truth import MAX_LABELS_BYTES, Span, read_spans, score
from tests.tuning.conftest import PLAIN


def test_seconds_right_false_and_missed_are_counted_within_the_spans_only(recorded) -> None:
    recording = recorded((2, "happy", 0.9), (2, "sad", 0.9), (2, "happy", 0.9), (4, "happy", 0.9))
    spans = [Span(0, 4, "happy"), Span(4, 6, "neutral")]  # no label from 6 to 10
    agreement = score(recording, PLAIN, spans, "happy")
    assert agreement.right_s == pytest.approx(2.0)  # 0 to 2
    assert agreement.missed_s == pytest.approx(2.0)  # 2 to 4: sad was held
    assert agreement.false_s == pytest.approx(2.0)  # 4 to 6: happy was held, neutral was labelled
    assert agreement.f1 == pytest.approx(0.5)


def test_span_of_another_face_does_not_count(recorded) -> None:
    agreement = score(recorded((2, "happy", 0.9)), PLAIN, [Span(0, 2, "happy", face=7)], "happy")
    assert (agreement.right_s, agreement.false_s, agreement.missed_s, agreement.f1) == (0.0, 0.0, 0.0, 0.0)


def test_labels_are_read_with_synonyms_and_an_optional_face(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("from_s, to_s, emotion, face\n0, 2.5, Happiness, \n3, 4, neutral, 2\n5, 6, sad\n")
    assert read_spans(path) == [Span(0.0, 2.5, "happy"), Span(3.0, 4.0, "neutral", 2), Span(5.0, 6.0, "sad")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a,b\n", "no column from_s"),
        ("", "no column from_s"),
        ("from_s,to_s,emotion\n1,2,bored\n", ":2: 'bored' is not one of the seven"),
        ("from_s,to_s,emotion\n1,2,sad\n5,4,sad\n", ":3: from_s must be before to_s"),
        ("from_s,to_s,emotion\none,2,sad\n", ":2: cannot be read"),
        ("from_s,to_s,emotion\n1\n", ":2: cannot be read"),
        ("from_s,to_s,emotion\n\n1,2,bored\n", ":3: 'bored'"),
        ("from_s,to_s,emotion\n1,2,sad\n0,5\n", ":3: cannot be read: it needs from_s, to_s, emotion"),
    ],
)
def test_wrong_label_is_named_by_its_line(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=word) as caught:
        read_spans(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"from_s,to_s,emotion\n1,2,caf\xe9\n", "is not CSV"),
        (b"from_s,to_s,emotion\n1,2," + b"a" * 200_000 + b"\n", "is not CSV: field larger"),
        (b"from_s,to_s,emotion,face\n1,2,sad," + b"1" * 5000 + b"\n", ":2: cannot be read"),
        (b"from_s,to_s,emotion\nnan,2,sad\n", ":2: from_s must be before to_s"),
        (b" " * (MAX_LABELS_BYTES + 1), "cannot be read: larger than"),
    ],
)
def test_malformed_file_is_refused_in_one_line(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=word) as caught:
        read_spans(path)
    assert "\n" not in str(caught.value)


def test_labels_that_are_no_regular_file_are_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(UserError, match="cannot be read: not a regular file"):
        read_spans(tmp_path / "labels.csv")


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: b"from_s,to_s,emotion\n" + text.encode()))
def test_no_bytes_raise_anything_but_the_user_s_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.csv")
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            read_spans(path)
