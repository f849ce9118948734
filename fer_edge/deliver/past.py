"""What earlier boots left, read once at the start: from the store on disk, and from the notes in memory."""

import logging
import secrets
from datetime import datetime
from pathlib import Path

import msgspec

from fer_edge.deliver.entry import CORRUPT, Entry
from fer_edge.deliver.ledger import read_ledgers, remove_ledger
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.mirror import Batch, Row, row_of
from fer_edge.deliver.page import Page
from fer_edge.deliver.recover import Lost, in_order, recover
from fer_edge.deliver.spill import MEMORY_ONLY, set_aside
from fer_edge.deliver.store import Store, StoreTrouble
from fer_edge.deliver.topics import Topics
from fer_edge.values import Message

logger = logging.getLogger(__name__)

ROW_BITS = 52  # of a row's name drawn by chance, where it is not known which ones are taken


class _Stamp(msgspec.Struct, frozen=True):
    """What an event says of its age."""

    time: str
    clock: str


class Past:
    """What earlier boots left: entries for the line, and what cannot be known of them."""

    """Read when it is made; `begin` is to follow, when this boot has its page."""

    def __init__(self, store: Store | None, runtime: Path | None, name: str, topics: Topics, clocks: Clocks) -> None:
        self._store = store
        self._runtime, self._name = runtime, name
        self._settled: list[Page] = []  # of boots of which all that is to say is known
        self._answered: list[int] = []  # rows that nobody waits for any more
        self._done: list[str] = []  # boots of which nothing is left to say
        self.entries: list[Entry] = []
        self.lost: list[Lost] = []
        self.trouble = ""
        rows, pages = self._load()
        ledgers = {} if runtime is None else {page.boot: page for page in read_ledgers(runtime, name)}
        pages |= ledgers  # notes in memory are newer
        self.last_number = max((page.number for page in pages.values()), default=0)
        style = Message(topics.event, b"", qos=1)
        first = secrets.randbits(ROW_BITS) if self.trouble else 0
        next_row = max((row.row for row in rows), default=first) + 1
        for boot, of_boot in in_order(rows, {boot: page.number for boot, page in pages.items()}):
            page = pages.get(boot) or Page(boot=boot, exact=False, made=0)
            recovered = recover(page, of_boot, style, clocks.monotonic(), next_row)
            next_row = recovered.next_row
            self._answered += recovered.answered
            self.entries += [_aged(entry, clocks) for entry in recovered.entries]
            if recovered.lost is not None:
                self.lost.append(recovered.lost)
            elif recovered.entries:
                self._settled.append(Page(boot=boot, number=page.number, settled=True))
            else:
                self._done.append(boot)
                self._forget(boot)
        self.next_row = next_row

    def begin(self, page: Page) -> str:
        """Writes to the store what was found out of earlier boots, so that it is found out once, and who lives.

        Returns:
            The trouble with the store, if there is any.
        """
        if self._store is None or self.trouble:
            return self.trouble
        new = [entry for entry in self.entries if not entry.on_disk]
        batch = Batch(rows=tuple(map(row_of, new)), gone=tuple(self._answered), entries=())
        try:
            self._store.write(batch, [*self._settled, page], self._done)
        except StoreTrouble as why:
            self.trouble = str(why)
            return self.trouble
        for entry in new:
            entry.on_disk = True
        for one in self._settled:
            self._forget(one.boot)
        return ""

    def _forget(self, boot: str) -> None:
        """Nobody needs the boot's notes in memory any more."""
        if self._runtime is not None:
            remove_ledger(self._runtime, self._name, boot)

    def _load(self) -> tuple[tuple[Row, ...], dict[str, Page]]:
        if self._store is None:
            return (), {}
        try:
            saved = self._store.open()
        except StoreTrouble as why:
            self.trouble = str(why)
            if not why.corrupt:
                logger.warning("%s%s", MEMORY_ONLY, why)
                return (), {}
        else:
            return saved.rows, dict(saved.pages)
        logger.warning("%s", self.trouble)
        self.lost.append(Lost(None, None, CORRUPT))
        if set_aside(self._store) is not None:
            self.trouble = ""
            try:
                self._store.open()
            except StoreTrouble as why:
                self.trouble = str(why)
        return (), {}


def _aged(entry: Entry, clocks: Clocks) -> Entry:
    """The entry, as old as its event is; it counts as new where one of the clocks could not be believed."""
    if entry.message is not None and entry.on_disk and clocks.synced():
        stamp = msgspec.json.decode(entry.message.payload, type=_Stamp)
        if stamp.clock == "synced":
            entry.kept_at -= max(0.0, clocks.wall() - datetime.fromisoformat(stamp.time).timestamp())
    return entry
