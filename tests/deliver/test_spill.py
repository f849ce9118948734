"""The store's thread on a disk that is slow, or fails at the end: what the next boot finds."""

import time

import pytest

from fer_edge.deliver.entry import Limits
from fer_edge.deliver.ledger import Ledger
from fer_edge.deliver.leftovers import leftovers
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.outbox import Outbox
from fer_edge.deliver.page import Page
from fer_edge.deliver.spill import Spill
from fer_edge.deliver.store import Store, StoreTrouble
from fer_edge.values import EventKind, Message

EVENTS = 1000
CLOCKS = Clocks(time.time, time.monotonic, lambda: True)
NOTHING = Message("", b"")


class SlowStore(Store):
    """Each batch of rows takes as long as an SD card may."""

    def write(self, batch, pages=(), forget=()) -> None:
        if batch.rows:
            time.sleep(0.05)
        super().write(batch, pages, forget)


class LastWordStore(Store):
    """Takes all rows, and then nothing more."""

    def write(self, batch, pages=(), forget=()) -> None:
        if not batch.rows:
            raise StoreTrouble("full")
        super().write(batch, pages, forget)


class FullStore(Store):
    """Opens, and takes nothing."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.tried = 0

    def write(self, batch, pages=(), forget=()) -> None:
        self.tried += 1
        raise StoreTrouble("disk full")


@pytest.fixture
def stopped(tmp_path, an_event):
    """Gives `stopped(kind of store)`: what `stop` said and what the next boot finds, of EVENTS."""

    def run(kind: type[Store], within_s: float):
        store = kind(tmp_path / "porch.db")
        store.open()
        ledger = Ledger(None, "porch", "b00tb00t", 1)
        outbox = Outbox(
            Limits(events=10_000), lambda *_: NOTHING, lambda one: one, boot="b00tb00t", durability="default"
        )
        spill = Spill(
            store, outbox, at_once=False, page=lambda: ledger.page(exact=True), forget=lambda _: None, wake=lambda: None
        )
        for seq in range(1, EVENTS + 1):
            text = b'{"id":"b00tb00t-%d","event_type":"face_appeared","time":"2026-11-21T12:00:00Z","clock":"synced",'
            text += b'"uptime_s":1.0,"device":"porch","model":"m"}'
            message = Message("t/event", text % seq, seq=seq)
            ledger.made(an_event(EventKind.GONE, face=seq, reason="stopped"), message, 1.0)
            outbox.put(message, time.monotonic())
        spill.start()
        kept = spill.stop(within_s)
        spill._thread.join()
        spill.check()
        store.close()
        saved = Store(tmp_path / "porch.db").open()
        return kept, saved, leftovers(saved.rows, saved.pages, "t/event", CLOCKS)

    return run


def test_all_that_a_fast_disk_took_is_settled(stopped) -> None:
    kept, saved, found = stopped(Store, 30.0)
    assert (kept, len(saved.rows), saved.pages["b00tb00t"].settled) == (True, EVENTS, True)
    assert len(found.entries) == EVENTS
    assert {entry.reason for entry in found.entries} == {None}


def test_what_a_slow_disk_did_not_take_in_time_is_named_by_the_next_boot(stopped) -> None:
    kept, saved, found = stopped(SlowStore, 0.2)
    assert not kept
    assert 0 < len(saved.rows) < EVENTS
    told = [seq for entry in found.entries for seq in range(entry.first, entry.last + 1) if seq <= EVENTS]
    assert told == list(range(1, EVENTS + 1))
    assert [(entry.first, entry.last) for entry in found.entries if entry.reason == "restart"] == [
        (len(saved.rows) + 1, EVENTS)
    ]


def test_boot_whose_last_word_could_not_be_written_is_not_said_to_be_kept(stopped) -> None:
    kept, saved, found = stopped(LastWordStore, 30.0)
    assert (kept, len(saved.rows), saved.pages["b00tb00t"].settled) == (False, EVENTS, False)
    assert [entry.last for entry in found.entries] == list(range(1, EVENTS + 1))


def test_disk_that_stays_full_is_said_once_and_holds_strict_events_back(tmp_path, eventually, caplog) -> None:
    store = FullStore(tmp_path / "porch.db")
    store.open()
    outbox = Outbox(Limits(events=100), lambda *_: NOTHING, lambda one: one, boot="b", durability="strict")
    page = Page(boot="b")
    spill = Spill(store, outbox, at_once=True, page=lambda: page, forget=lambda _: None, wake=lambda: None)
    spill.start()
    outbox.connected(0.0)
    outbox.put(Message("t/event", b"", seq=1), time.monotonic())
    spill.ring()
    eventually(lambda: store.tried >= 3, "it is tried again and again")
    assert outbox.due(20, time.monotonic()) == []
    assert not spill.stop(1.0)
    assert caplog.messages == ["events wait in memory only: disk full"]
    assert outbox.tally().store == "events wait in memory only: disk full"
