"""A later run takes over from files: what it sends of earlier runs, and what it names as lost."""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.types import EventKind
from tests.mqtt.conftest import an_event, eventually

TOPICS = Topics("fer_edge", "porch")
NOBODY = 1  # a port of loopback where no broker listens
STORE, JOURNAL = "fer_edge-porch.db", "fer_edge-porch.journal"
PAGE = 4096


class Daemon:
    """A delivery without a broker, whose queue is read as a broker would get it."""

    def __init__(self, folders: Folders, durability: str = "default") -> None:
        settings = MqttSettings(host="127.0.0.1", port=NOBODY, durability=durability, replay_hz=100000.0)
        clocks = Clocks(time.time, time.monotonic, lambda: True)
        self.delivery = Delivery(settings, TOPICS, "0123456789", clocks, lambda: 0.5, folders=folders)
        self.delivery.start()
        self.sent: list[dict[str, Any]] = []

    def say(self, *events: tuple[EventKind, int]) -> None:
        for kind, face in events:
            self.delivery.event(an_event(kind, time.monotonic(), face=face, reason="left"))

    def sends(self) -> list[dict[str, Any]]:
        """Everything that is due, acknowledged as it goes."""
        outbox = self.delivery.outbox
        outbox.connected(time.monotonic())
        eventually(self._send, "all is sent")
        return self.sent

    def _send(self) -> bool:
        outbox = self.delivery.outbox
        self.delivery.check(time.monotonic())
        for parcel in outbox.due(20, time.monotonic()):
            if parcel.message.topic == TOPICS.event:
                self.sent.append(msgspec.json.decode(parcel.message.payload))
            if parcel.key:
                outbox.acknowledged(parcel.key, time.monotonic())
        return outbox.idle()

    def is_on_disk(self, count: int) -> None:
        eventually(lambda: self.delivery.state(0.0).outbox.stored == count, f"{count} rows on disk")

    def stop(self) -> None:
        self.delivery.stop(0.1)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Folders(tmp_path / "state", runtime)


@pytest.fixture
def killed(folders: Folders) -> Callable[..., None]:
    """Return `killed(durability, act)`: a child process in which `act(daemon)` is done, and which dies by SIGKILL."""

    def run(durability: str, act: Callable[[Daemon], None]) -> None:
        child = os.fork()
        if not child:
            try:
                act(Daemon(folders, durability))
            finally:
                os.kill(os.getpid(), 9)
        os.waitpid(child, 0)

    return run


def verdict(*runs: list[dict[str, Any]]) -> list[str]:
    audit = Audit(from_start=True)
    for sent in runs:
        for event in sent:
            audit.take(event)
    return audit.problems()


def kinds(sent: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(event["event_type"], event["reason"]) for event in sent]


def two_faces(daemon: Daemon) -> None:
    daemon.say((EventKind.APPEARED, 1), (EventKind.APPEARED, 2), (EventKind.GONE, 2))


@pytest.mark.parametrize("durability", ["default", "strict", "memory"])
def test_killed_run_is_sent_whole_and_its_open_face_is_closed_once(folders, killed, durability):
    killed(durability, two_faces)
    second = Daemon(folders, durability)
    sent = second.sends()
    assert kinds(sent)[3:] == [("face_gone", "restart")]
    assert (sent[3]["face"], sent[3]["replayed"]) == (1, True)
    second.stop()
    third = Daemon(folders, durability)
    assert third.sends() == []
    third.stop()
    assert list(folders.runtime.iterdir()) == []
    assert verdict(sent) == []


def test_run_that_dies_while_it_takes_over_leaves_the_same_to_the_next(folders, killed):
    killed("default", two_faces)
    for _ in range(3):
        killed("default", lambda daemon: None)
    last = Daemon(folders)
    assert [event["id"].rpartition("-")[2] for event in last.sends()] == ["1", "2", "3", "4"]
    last.stop()


@pytest.mark.parametrize("names", [(JOURNAL,), (f"{JOURNAL}-wal",), (JOURNAL, f"{JOURNAL}-wal")])
@pytest.mark.parametrize("seed", range(4))
def test_journal_that_is_damaged_loses_nothing_in_silence(folders, killed, names, seed):
    killed("memory", two_faces)
    dice = random.Random(seed)
    for name in names:
        path = folders.runtime / name
        path.write_bytes(dice.randbytes(path.stat().st_size))
    second = Daemon(folders, "memory")
    second.say((EventKind.APPEARED, 1))
    sent = second.sends()
    second.stop()
    assert sent[-1]["event_type"] == "face_appeared"
    assert ("gap", "corrupt") in kinds(sent) or len(sent) == 5


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bit_in_a_store_never_changes_a_value_and_what_it_hit_is_named(folders, seed):
    first = Daemon(folders)
    for face in range(1, 31):
        first.say((EventKind.APPEARED, face), (EventKind.GONE, face))
    first.stop()
    path = folders.state / STORE
    original = path.read_bytes()
    data = bytearray(original)
    dice = random.Random(seed)
    place = original.index(b'"confidence"', dice.randrange(PAGE, len(data) - 2 * PAGE)) + 13 + dice.randrange(4)
    data[place] ^= 1 << dice.randrange(3)
    path.write_bytes(data)
    second = Daemon(folders)
    sent = second.sends()
    second.stop()
    assert len([event for event in sent if event["event_type"] != "gap"]) == 59
    assert [(one["missing"]["to"] - one["missing"]["from"], one["reason"]) for one in sent if one["missing"]] == [
        (0, "corrupt")
    ]
    assert {event["confidence"] for event in sent} == {0.93, None}
    assert verdict(sent) == []


def test_strict_store_whose_log_lost_commits_gives_no_number_away_again(folders, killed):
    def act(daemon: Daemon) -> None:
        daemon.say((EventKind.APPEARED, 1))
        daemon.is_on_disk(1)
        log = (folders.state / f"{STORE}-wal").read_bytes()
        daemon.say((EventKind.GONE, 1))
        daemon.is_on_disk(2)
        (folders.state / "cut").write_bytes(log)

    killed("strict", act)
    for one in folders.runtime.iterdir():  # as when the plug is pulled
        one.unlink()
    (folders.state / "cut").replace(folders.state / f"{STORE}-wal")
    second = Daemon(folders, "strict")
    sent = second.sends()
    second.stop()
    assert kinds(sent) == [("face_appeared", "left"), ("gap", "corrupt")], sent
    assert sent[1]["missing"]["from"] == 2
    assert sent[1]["missing"]["to"] is None


def test_store_that_is_missing_is_named(folders, caplog):
    first = Daemon(folders)
    first.say((EventKind.APPEARED, 1))
    first.stop()
    (folders.state / STORE).unlink()
    second = Daemon(folders)
    sent = second.sends()
    second.stop()
    assert kinds(sent) == [("gap", "corrupt")]
    assert "is missing" in caplog.text
    third = Daemon(folders)
    assert third.sends() == []
    third.stop()


def test_store_of_format_1_is_read_once_and_converted(folders):
    folders.state.mkdir()
    event = (
        '{"schema":1,"id":"aaaaaaaa-%d","event_type":"face_appeared","time":"2026-11-21T12:00:00.000Z",'
        '"clock":"unsynced","uptime_s":1.0,"device":"porch","face":%d,"model":"m"}'
    )
    page = (
        '{"boot":"aaaaaaaa","number":4,"made":3,"acknowledged":0,"alive_at":1.0,"alive_uptime_s":2.0,"synced":false,'
        '"faces":[{"since_uptime_s":1.0,"gone_seq":null,"event":%s}],"exact":true,"settled":false}'
    ) % (event % (3, 3))
    database = sqlite3.connect(folders.state / STORE, isolation_level=None)
    database.executescript(
        "CREATE TABLE events (row INTEGER PRIMARY KEY, boot TEXT NOT NULL, first INTEGER NOT NULL,"
        " last INTEGER NOT NULL, reason TEXT, topic TEXT, payload BLOB, expiry_s INTEGER, spare INTEGER) STRICT;"
        "CREATE TABLE boots (boot TEXT PRIMARY KEY, page BLOB NOT NULL) STRICT, WITHOUT ROWID; PRAGMA user_version=1"
    )
    for seq in (1, 3):
        row = (seq, "aaaaaaaa", seq, seq, None, "t", (event % (seq, seq)).encode(), None, 0)
        database.execute("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?)", row)
    database.execute("INSERT INTO boots VALUES ('aaaaaaaa', ?)", (page.encode(),))
    database.close()
    (folders.runtime / "fer_edge-porch.bbbbbbbb.ledger").write_bytes(b"nonsense")
    second = Daemon(folders)
    sent = second.sends()
    second.stop()
    assert [(one["id"], one["event_type"]) for one in sent[:4]] == [
        ("aaaaaaaa-1", "face_appeared"),
        ("aaaaaaaa-2", "gap"),
        ("aaaaaaaa-3", "face_appeared"),
        ("aaaaaaaa-4", "face_gone"),
    ]
    assert sent[3]["duration_s"] == 1.0
    assert sent[4]["missing"] == {"boot": "bbbbbbbb", "from": 1, "to": None}
    assert list(folders.runtime.iterdir()) == []
    third = Daemon(folders)
    assert third.sends() == []
    third.stop()


@pytest.mark.parametrize("what", [b"", b"nonsense" * 999, b"SQLite format 3\0" + bytes(9000)])
@pytest.mark.parametrize("place", ["state", "runtime"])
def test_start_goes_on_whatever_its_files_hold(folders, what, place, caplog):
    folders.state.mkdir()
    name = STORE if place == "state" else JOURNAL
    folder = folders.state if place == "state" else folders.runtime
    (folder / name).write_bytes(what)
    (folders.state / "fer_edge-porch.mark").write_bytes(what)
    daemon = Daemon(folders)
    daemon.say((EventKind.APPEARED, 1))
    sent = daemon.sends()
    daemon.stop()
    assert sent[-1]["event_type"] == "face_appeared"
    assert (len(sent) == 1) == (not what)
    assert ("set aside" in caplog.text) == bool(what)
