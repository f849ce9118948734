"""Untrusted input: a value or one documented error for any content."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.untrusted import (
    DecodeError,
    SecretError,
    decode_json,
    decode_object,
    read_regular,
    read_secret,
)


class Point(msgspec.Struct):
    x: float
    note: str = ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"x": "one"}',
        b'{"x": 1, "note": "caf\xe9"}',  # Latin-1
        b'{"x": 1, "note": "\\ud800"}',
        b'{"x": ' + b"[" * 100_000,
        b'{"x": ' + b"9" * 5_000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_input_that_does_not_fit_is_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_json(data, Point)
    assert "\n" not in str(caught.value)


def test_nesting_is_refused_where_any_value_would_do() -> None:
    with pytest.raises(DecodeError, match="nested too deeply"):
        decode_json(b"[" * 100_000, Any)  # type: ignore[arg-type]


def test_what_fits_is_decoded() -> None:
    assert decode_json(b'{"x": 1.5}', Point) == Point(1.5)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_json(data, dict)


def test_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(path, 4)


def test_devices_fifos_links_to_them_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in (Path("/dev/zero"), fifo, link):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(path, 10)
    for name in ("a\0b", "\ud800"):
        with pytest.raises(OSError, match="not a path"):
            read_regular(tmp_path / name, 10)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path, 10)


@pytest.mark.parametrize(
    "content", [b"geheim", b"geheim\n", b"geheim\r\n", b"\xef\xbb\xbfgeheim\r\n", b"  geheim \nsecond line\n"]
)
def test_secret_is_the_first_line_without_mark_and_blanks(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert read_secret(path, "mqtt.password_file") == "geheim"


def test_secret_that_is_no_utf8_text_is_named_with_its_cure(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("geheim", encoding="utf-16")
    with pytest.raises(SecretError, match=r"^mqtt.password_file: .*password is UTF-16 text, save it as UTF-8$"):
        read_secret(path, "mqtt.password_file")
    path.write_bytes(b"caf\xe9")
    with pytest.raises(SecretError, match="is not UTF-8 text"):
        read_secret(path, "mqtt.password_file")


def test_secret_that_others_may_read_is_logged_with_its_cure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "password"
    path.write_text("geheim\n")
    path.chmod(0o600)
    with caplog.at_level(logging.WARNING):
        read_secret(path, "mqtt.password_file")
        assert not caplog.messages
        path.chmod(0o644)
        read_secret(path, "mqtt.password_file")
    assert caplog.messages == [f"mqtt.password_file: others may read {path}, close it with: chmod 600 {path}"]


@pytest.mark.parametrize("data", [b"[]", b"7", b'{"a": [[[1]]]}', b'{"a": {"b": {"c": {}}}}', b'{"a": "\xe9"}'])
def test_object_that_is_none_or_deeper_is_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object(data, 3)


def test_object_of_as_many_levels_is_taken() -> None:
    assert decode_object(b'{"a": [{"c": 1}], "b": 2}', 3) == {"a": [{"c": 1}], "b": 2}
    assert decode_object(b"{}", 1) == {}
