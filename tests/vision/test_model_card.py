"""Model card: a mismatch with the network is a one-line error with what to do."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.errors import ModelError
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.interpreter import Interpreter
from fer_edge.vision.model_card import (
    MAX_CARD_BYTES,
    CardInput,
    ModelCard,
    card_path,
    load_card,
    save_card,
    verify,
    verify_file,
)

Rewrite = Callable[[Callable[[str], str]], Path]
LABELS = ("neutral", "happiness", "Surprised", "sadness", "anger", "disgusted", "fearful")


def a_card(**changes) -> ModelCard:
    """A valid card with labels in another spelling, and given changes."""
    values = {
        "name": "net",
        "sha256": "0" * 64,
        "labels": LABELS,
        "input": CardInput(height=48, width=48, mean=127.5, std=127.5),
        "output": "logits",
    }
    return ModelCard(**(values | changes))


def refusal(action: Callable[[], object]) -> str:
    """The one-line error of ``action``."""
    with pytest.raises(ModelError) as caught:
        action()
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_card_reads_back_as_it_was_written(tmp_path):
    card = a_card(temperature=1.3, scores={"PublicTest": {"faces": 3589, "top1": 0.65}}, training={"seed": 1})
    save_card(card, tmp_path / "net.tflite")
    assert load_card(tmp_path / "net.tflite") == card
    assert json.loads((tmp_path / "net.json").read_text())["input"]["std"] == 127.5


def test_labels_in_any_spelling_become_this_projects_names():
    assert a_card().emotions == ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")


def test_a_network_without_a_card_is_refused_with_the_command_that_writes_one(tmp_path):
    line = refusal(lambda: load_card(tmp_path / "net.tflite"))
    assert "net.json" in line
    assert "fer-convert card" in line


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ('"schema": 1', '"schema": 2', "schema 2"),
        ('"height": 48', '"height": 0', "input.height"),
        ('"std": 127.5', '"std": 0', "input.std"),
        ('"temperature": 1.0', '"temperature": -1', "temperature"),
        ('"channels": 1', '"channels": 2', "channels"),
        ('"logits"', '"logit"', "output"),
        ('"name"', '"nane"', "nane"),
        ('"mean": 127.5', '"mean": NaN', "malformed"),
        ("{", "[", "net.json"),
        ('"happiness"', '"glee"', "glee"),
        ('"happiness"', '"sad"', "labels"),
        ('"happiness",', "", "labels"),
    ],
)
def test_a_card_that_is_wrong_is_refused_with_what_is_wrong(tmp_path, before, after, word):
    path = save_card(a_card(), tmp_path / "net.tflite")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert word in refusal(lambda: load_card(tmp_path / "net.tflite"))


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe\x00", b"null", b"[]", b'"\xff"', b'{"schema": "one"}'])
def test_garbage_is_no_card(tmp_path, garbage):
    (tmp_path / "net.json").write_bytes(garbage)
    assert "not a valid model card" in refusal(lambda: load_card(tmp_path / "net.tflite"))


@pytest.mark.parametrize(
    "poison",
    [
        b'{"schema": 1, "training": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b"[" * 1000,
        b'{"schema": 1, "name": "caf\xe9"}',
        b'{"schema": 1, "notes": "\\ud800"}',
        b'{"schema": 1' + b"0" * 5000 + b"}",
        b'{"schema": 1, "input": {"mean": 1e999}}',
    ],
    ids=["nested", "open", "latin1", "surrogate", "digits", "infinite"],
)
def test_poison_is_no_card(tmp_path, poison):
    (tmp_path / "net.json").write_bytes(poison)
    assert "not a valid model card" in refusal(lambda: load_card(tmp_path / "net.tflite"))


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_no_bytes_make_a_card_raise_anything_but_its_own_error(content):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "net.json").write_bytes(content)
        with pytest.raises(ModelError):
            load_card(Path(folder) / "net.tflite")


def test_a_card_that_is_no_regular_file_or_far_too_large_is_refused_without_waiting(tmp_path):
    path = tmp_path / "net.json"
    os.mkfifo(path)
    assert "cannot be read: not a regular file" in refusal(lambda: load_card(tmp_path / "net.tflite"))
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "cannot be read: not a regular file" in refusal(lambda: load_card(tmp_path / "net.tflite"))
    path.unlink()
    path.write_bytes(b" " * (MAX_CARD_BYTES + 1))
    assert "cannot be read: larger than" in refusal(lambda: load_card(tmp_path / "net.tflite"))


def test_a_folder_where_the_card_should_be_is_refused(tmp_path):
    (tmp_path / "net.json").mkdir()
    assert "cannot be read" in refusal(lambda: load_card(tmp_path / "net.tflite"))


def test_a_gender_network_is_refused_as_what_it_is(tmp_path):
    card = a_card(kind="gender", labels=("woman", "man"))
    card_path(tmp_path / "gender.tflite").write_bytes(msgspec.json.encode(card))
    line = refusal(lambda: load_card(tmp_path / "gender.tflite"))
    assert "'gender'" in line
    assert "woman, man" in line


def test_a_card_that_could_not_be_read_again_is_not_written(tmp_path):
    refusal(lambda: save_card(a_card(labels=("happy", "sad")), tmp_path / "net.tflite"))
    assert not (tmp_path / "net.json").exists()


def test_a_file_that_the_card_was_not_written_for_is_refused_before_it_is_run(tmp_path):
    line = refusal(lambda: verify_file(a_card(), b"other", tmp_path / "net.tflite"))
    assert "d9298a10" in line  # printf other | sha256sum


def test_the_matching_network_passes(int8_model):
    card = load_card(int8_model)
    content = int8_model.read_bytes()
    verify_file(card, content, int8_model)
    verify(card, Interpreter(content, "net"), int8_model)


def test_a_card_of_another_input_size_is_refused_with_both_sizes(rewritten: Rewrite):
    model = rewritten(lambda text: text.replace('"height": 64', '"height": 48'))
    line = refusal(lambda: load_classifier(model))
    assert "1x64x64x1" in line
    assert "1x48x64x1" in line


def test_a_model_that_changed_after_its_card_was_written_is_refused(int8_model):
    content = bytearray(int8_model.read_bytes())
    content[50_000] ^= 1
    int8_model.write_bytes(content)
    assert "sha256" in refusal(lambda: load_classifier(int8_model))


@pytest.mark.parametrize("length", [8, 100, 50_000, 101_000])
def test_a_truncated_model_never_reaches_the_runtime(int8_model: Path, length: int):
    int8_model.write_bytes(int8_model.read_bytes()[:length])
    assert "sha256" in refusal(lambda: load_classifier(int8_model))
