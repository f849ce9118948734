import sqlite3
from pathlib import Path

import pytest

from fer_edge.deliver.mirror import Batch, Row
from fer_edge.deliver.page import Page
from fer_edge.deliver.store import Store, StoreTrouble
from fer_edge.values import Message


def row(number: int, boot: str = "a") -> Row:
    message = Message("t/event", b'{"n":%d}' % number, expiry_s=60, seq=number, spare=number % 2 == 0)
    return Row(row=number, boot=boot, first=number, last=number, reason=None, message=message)


def batch(*rows: Row, gone: tuple[int, ...] = ()) -> Batch:
    return Batch(rows=rows, gone=gone, entries=())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "porch.db"


@pytest.fixture
def store(path: Path) -> Store:
    one = Store(path)
    one.open()
    yield one
    one.close()


def test_what_was_written_is_read_again_as_it_was(store, path):
    gap = Row(row=3, boot="a", first=3, last=9, reason="queue_full", message=None)
    page = Page(boot="a", number=4, made=9, exact=False)
    store.write(batch(row(1), row(2), gap), [page])
    store.write(batch(gone=(1,)))
    saved = Store(path)
    store.close()
    assert saved.open().rows == (row(2), gap)
    assert saved.open().pages == {"a": page}
    saved.write(batch(gone=(2, 3)), forget=["a"])
    assert saved.open().rows == ()
    assert saved.open().pages == {}
    saved.close()


def test_transaction_that_cannot_be_finished_leaves_nothing(store, path):
    broken = Row(row=2, boot=None, first=2, last=2, reason=None, message=None)
    with pytest.raises(StoreTrouble):
        store.write(batch(row(1), broken))
    store.close()
    assert Store(path).open().rows == ()


def test_file_of_something_else_is_corrupt_and_can_be_set_aside(path):
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    store = Store(path)
    with pytest.raises(StoreTrouble, match="damaged") as caught:
        store.open()
    assert caught.value.corrupt
    aside = store.set_aside()
    assert aside.read_bytes().startswith(b"no database")
    assert store.open().rows == ()
    store.close()


def test_file_that_is_damaged_in_the_middle_is_corrupt(store, path):
    store.write(batch(*map(row, range(1, 400))))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 8192] = b"\xff" * 8192
    path.write_bytes(data)
    with pytest.raises(StoreTrouble, match="damaged") as caught:
        store.open()
    assert caught.value.corrupt


def test_file_of_another_version_is_set_aside_and_not_guessed_at(store, path):
    store.close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=7")
    other.close()
    with pytest.raises(StoreTrouble, match="another version") as caught:
        store.open()
    assert caught.value.corrupt


def test_second_daemon_does_not_get_into_the_first_one_s_store(store, path):
    with pytest.raises(StoreTrouble, match="another daemon uses it") as caught:
        Store(path).open()
    assert not caught.value.corrupt
    store.write(batch(row(1)))


def test_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreTrouble, match="must be able to write there") as caught:
        Store(tmp_path / "file" / "porch.db").open()
    assert not caught.value.corrupt


def test_text_of_which_a_bit_has_flipped_is_damage_and_not_a_disk_to_be_tried_again(store, path):
    store.write(batch(row(1, boot="aaaa")))
    store.close()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"aaaa", b"a\xe1aa"))
    with pytest.raises(StoreTrouble, match="damaged") as caught:
        store.open()
    assert caught.value.corrupt
