import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.deliver.ledger import MAGIC, Ledger, read_ledgers, remove_ledger
from fer_edge.values import EventKind, Message


def message(seq: int) -> Message:
    return Message("event", b'{"seq":%d}' % seq, seq=seq)


@pytest.fixture
def die(tmp_path):
    """Gives `die(script)`: runs it with a ledger `one` of the boot `b00tb00t` in the folder, and kills it."""

    def kill(script: str) -> None:
        start = (
            "import os, signal, sys\nfrom pathlib import Path\nfrom fer_edge.deliver.ledger import Ledger\n"
            "from fer_edge.values import Message\n"
            "one = Ledger(Path(sys.argv[1]), 'porch', 'b00tb00t', 3)\n"
        )
        end = "\nos.kill(os.getpid(), signal.SIGKILL)\n"
        result = subprocess.run([sys.executable, "-c", start + script + end, tmp_path], check=False)
        assert result.returncode == -signal.SIGKILL

    return kill


def test_notes_of_a_daemon_that_was_killed_are_read_by_the_next(die, tmp_path):
    die(
        "one.made(None, Message('event', b'{}', seq=41), 0.0)\n"
        "one.acknowledged(38)\n"
        "one.alive(1700000000.5, 99.25, synced=True)"
    )
    (page,) = read_ledgers(tmp_path, "porch")
    assert (page.boot, page.number, page.made, page.acknowledged) == ("b00tb00t", 3, 41, 38)
    assert (page.alive_at, page.alive_uptime_s, page.synced, page.exact) == (1700000000.5, 99.25, True, True)
    assert page.faces == ()
    remove_ledger(tmp_path, "porch", "b00tb00t")
    assert read_ledgers(tmp_path, "porch") == []


def test_daemon_that_lives_is_not_taken_for_a_dead_one(tmp_path):
    ledger = Ledger(tmp_path, "porch", "b00tb00t", 1)
    assert read_ledgers(tmp_path, "porch") == []
    ledger.close(forget=False)
    assert len(read_ledgers(tmp_path, "porch")) == 1


def test_open_faces_are_those_of_which_the_farewell_is_not_known_to_have_arrived(tmp_path, an_event):
    ledger = Ledger(tmp_path, "porch", "b00tb00t", 1)
    ledger.made(an_event(EventKind.APPEARED, face=1), message(1), 10.0)
    ledger.made(an_event(EventKind.APPEARED, face=2), message(2), 11.0)
    ledger.made(an_event(EventKind.CHANGED, face=1), message(3), 12.0)
    ledger.made(an_event(EventKind.GONE, face=2), message(4), 13.0)
    gone, face = ledger.page(exact=True).faces
    assert (face.since_uptime_s, face.gone_seq, bytes(face.event)) == (10.0, None, b'{"seq":3}')
    assert (gone.since_uptime_s, gone.gone_seq, bytes(gone.event)) == (11.0, 4, b'{"seq":4}')
    ledger.acknowledged(4)  # nobody can miss that farewell any more
    ledger.made(an_event(EventKind.CHANGED, face=1), message(5), 14.0)
    ledger.close(forget=False)
    (page,) = read_ledgers(tmp_path, "porch")
    assert [bytes(one.event) for one in page.faces] == [b'{"seq":5}']
    assert page.made == 5


def test_ledger_of_a_boot_that_ended_in_order_is_not_left(tmp_path):
    Ledger(tmp_path, "porch", "b00tb00t", 1).close(forget=True)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_ledger_is_removed_and_another_daemon_s_is_left_alone(die, tmp_path):
    die("")
    (tmp_path / "porch.broken.ledger").write_bytes(b"\0" * 4096)
    (tmp_path / "hall.other.ledger").write_bytes(b"\0" * 4096)
    assert [page.boot for page in read_ledgers(tmp_path, "porch")] == ["b00tb00t"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hall.other.ledger", "porch.b00tb00t.ledger"]


def test_what_is_no_file_is_passed_over_without_waiting_and_said(tmp_path, caplog):
    (tmp_path / "porch.folder.ledger").mkdir()
    os.mkfifo(tmp_path / "porch.pipe.ledger")
    (tmp_path / "porch.zero.ledger").symlink_to("/dev/zero")
    assert read_ledgers(tmp_path, "porch") == []
    assert len(caplog.messages) == 3
    assert all(message.endswith("; passed over") for message in caplog.messages)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_in_a_ledger_raise_anything(content, ours):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "porch.b00t.ledger").write_bytes((MAGIC if ours else b"") + content)
        read_ledgers(Path(folder), "porch")


def test_offset_beyond_all_memory_is_no_ledger(tmp_path):
    (tmp_path / "porch.b00t.ledger").write_bytes(MAGIC + b"\xff" * 200)
    assert read_ledgers(tmp_path, "porch") == []


def test_list_of_faces_that_was_torn_is_not_believed(die, tmp_path):
    die("")
    path = tmp_path / "porch.b00tb00t.ledger"
    data = bytearray(path.read_bytes())
    data[128 + 16] = ord("{")
    path.write_bytes(data)
    assert read_ledgers(tmp_path, "porch") == []


@pytest.mark.parametrize("options", ["size=64k", "size=4m,ro"], ids=["full", "read-only"])
def test_daemon_lives_without_notes_where_there_is_no_room_for_them_and_says_so_once(
    options, small_disk, an_event, caplog
):
    folder = small_disk(options)
    ledger = Ledger(folder, "porch", "b00tb00t", 1)
    for seq in range(1, 201):
        ledger.made(an_event(EventKind.APPEARED, face=seq), Message("event", b'"%s"' % (b"x" * 500), seq=seq), 10.0)
    assert (ledger.page(exact=True).made, len(ledger.page(exact=True).faces)) == (200, 200)
    ledger.close(forget=True)
    assert list(folder.iterdir()) == []
    (line,) = caplog.messages
    assert line.startswith(f"no notes can be kept in {folder} (")


def test_notes_that_cannot_be_removed_are_no_failure(tmp_path, small_disk):
    folder = small_disk("size=4m")
    Ledger(folder, "porch", "b00tb00t", 1).close(forget=False)
    (folder / "porch.broken.ledger").write_bytes(b"\0" * 4096)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    assert [page.boot for page in read_ledgers(folder, "porch")] == ["b00tb00t"]
    remove_ledger(folder, "porch", "b00tb00t")


def test_number_that_was_too_low_is_put_right(die, tmp_path):
    die("one.renumber(9)\none.renumber(2)")
    assert [page.number for page in read_ledgers(tmp_path, "porch")] == [9]


def test_without_a_folder_the_page_is_known_all_the_same(an_event):
    ledger = Ledger(None, "porch", "b00tb00t", 1)
    ledger.made(an_event(EventKind.APPEARED, face=1), message(1), 10.0)
    page = ledger.page(exact=False)
    assert (page.made, len(page.faces), page.exact) == (1, 1, False)
    assert msgspec.json.decode(msgspec.json.encode(page), type=type(page)) == page
    ledger.close(forget=False)
