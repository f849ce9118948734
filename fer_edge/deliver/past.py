"""What earlier boots left, read once at the start: from the store on disk, and from the notes in memory."""

import logging
import secrets
from pathlib import Path

from fer_edge.deliver.entry import CORRUPT
from fer_edge.deliver.ledger import read_ledgers, remove_ledger
from fer_edge.deliver.leftovers import Leftovers, leftovers
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.mirror import Batch, row_of
from fer_edge.deliver.page import Page
from fer_edge.deliver.recover import Lost
from fer_edge.deliver.spill import MEMORY_ONLY, set_aside
from fer_edge.deliver.store import Saved, Store, StoreTrouble
from fer_edge.deliver.topics import Topics

logger = logging.getLogger(__name__)

ROW_BITS = 52  # of a row's name drawn by chance, where it is not known which ones are taken


class Past:
    """What earlier boots left: entries for the line, and what cannot be known of them.

    Read when it is made; `begin` is to follow, when this boot has its page. From then on `late` and `settle` are the
    store's thread's, and only where the store was ``unread``: it could not be opened.
    """

    def __init__(self, store: Store | None, runtime: Path | None, name: str, topics: Topics, clocks: Clocks) -> None:
        self._store = store
        self._runtime, self._name = runtime, name
        self._topic, self._clocks = topics.event, clocks
        self.unread = False
        self.trouble = ""
        self.lost: list[Lost] = []
        saved = self._load()
        ledgers = self._ledgers()
        first = secrets.randbits(ROW_BITS) if self.trouble else 0
        # Notes in memory are newer than those on disk.
        self._left = leftovers(saved.rows, saved.pages | ledgers, self._topic, clocks, first + 1)
        self._told = frozenset(ledgers) if self.unread else frozenset()
        self.entries, self.next_row = self._left.entries, self._left.next_row
        self.last_number = self._left.last_number
        self.lost += self._left.lost
        _say_damaged(self._left)
        for boot in self._left.done:
            self._forget(boot)

    def begin(self, page: Page) -> str:
        """Writes to the store what was found out of earlier boots, so that it is found out once, and who lives.

        Returns:
            The trouble with the store, if there is any.
        """
        if self._store is not None and not self.trouble:
            try:
                self.settle(self._left, page)
            except StoreTrouble as why:
                self.trouble = str(why)
        return self.trouble

    def late(self, saved: Saved) -> Leftovers:
        """What a store that could not be opened at the start holds of earlier boots; to be settled.

        Of boots whose notes in memory were there at the start all is said: what only the store knows of them was named
        by a gap then, and may not come after it.
        """
        pages = {boot: page for boot, page in (saved.pages | self._ledgers()).items() if boot not in self._told}
        rows = [row for row in saved.rows if row.boot not in self._told]
        left = leftovers(rows, pages, self._topic, self._clocks, secrets.randbits(ROW_BITS) + 1)
        _say_damaged(left)
        return left

    def settle(self, left: Leftovers, page: Page, saved: Saved | None = None) -> None:
        """Writes down that ``left`` is all there is to say of earlier boots, and ``page``, of this one.

        Of ``saved`` goes what `late` left out.

        Raises:
            StoreTrouble: nothing of it was written.
        """
        assert self._store is not None
        new = [entry for entry in left.entries if not entry.on_disk]
        gone, done = list(left.answered), list(left.done)
        if saved is not None:
            gone += [row.row for row in saved.rows if row.boot in self._told]
            done += self._left.done
        batch = Batch(rows=tuple(map(row_of, new)), gone=tuple(gone), entries=())
        self._store.write(batch, [*left.settled, page], done)
        for entry in new:
            entry.on_disk = True
        for boot in (*(one.boot for one in left.settled), *left.done):
            self._forget(boot)

    def _forget(self, boot: str) -> None:
        """Nobody needs the boot's notes in memory any more."""
        if self._runtime is not None:
            remove_ledger(self._runtime, self._name, boot)

    def _ledgers(self) -> dict[str, Page]:
        return {} if self._runtime is None else {page.boot: page for page in read_ledgers(self._runtime, self._name)}

    def _load(self) -> Saved:
        nothing = Saved((), {})
        if self._store is None:
            return nothing
        try:
            return self._store.open()
        except StoreTrouble as why:
            self.trouble = str(why)
            if not why.corrupt:
                self.unread = True
                logger.warning("%s%s", MEMORY_ONLY, why)
                return nothing
        logger.warning("%s", self.trouble)
        self.lost.append(Lost(None, None, CORRUPT))
        if set_aside(self._store) is not None:
            self.trouble = ""
            try:
                self._store.open()
            except StoreTrouble as why:
                self.trouble = str(why)
        return nothing


def _say_damaged(left: Leftovers) -> None:
    if left.damaged:
        logger.warning("%d events in the store are damaged: a gap names each", left.damaged)
