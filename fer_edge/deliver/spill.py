"""The store's thread: takes from the outbox what is to be on disk, and writes it.

It alone touches the store while it runs, so neither the main thread nor the link's ever waits for a disk: they share
the outbox with it, whose lock is never held while something is written.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from fer_edge.deliver.mirror import Batch
from fer_edge.deliver.outbox import Outbox
from fer_edge.deliver.page import Page
from fer_edge.deliver.store import Saved, Store, StoreTrouble

logger = logging.getLogger(__name__)

LOOK_S = 0.5  # how often it looks whether something waits for too long
RETRY_S = 10.0  # after a trouble, until the store is tried again
STRICT_RETRY_S = 1.0  # the same where events wait for it
MEMORY_ONLY = "events wait in memory only: "


class Spill:
    """`start` to `stop` are the main thread's; `_run` and what it calls are the store thread's.

    ``page`` gives what is noted of this boot; ``forget`` is told earlier boots of which nothing waits any more;
    ``wake`` tells the link that something may be sent that could not be before. ``trouble``: the store, which is not
    None, could not be opened or written to yet. ``found`` is given where it was not read: it is told once, by the
    store's thread, what the store holds when it can be opened, None where that cannot be read; it may write to it.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
        self,
        store: Store | None,
        outbox: Outbox,
        *,
        at_once: bool,
        page: Callable[[], Page],
        forget: Callable[[str], None],
        wake: Callable[[], None],
        trouble: str = "",
        found: Callable[[Saved | None], None] | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._at_once = at_once
        self._page = page
        self._forget = forget
        self._wake = wake
        self._trouble = trouble
        self._found = found
        self._retry_s = STRICT_RETRY_S if at_once else RETRY_S
        self._retry_at = time.monotonic() + self._retry_s if trouble else float("-inf")
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._stop_by = float("inf")
        self._forgotten: set[str] = set()  # boots whose page is still to leave the store
        self._all_kept = False  # the store is closed, and all that waits is in it
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._tell(trouble)

    def start(self) -> None:
        """Begins to look after the store, in the background."""
        self._thread.start()

    def forget(self, boot: str) -> None:
        """Nothing is left to say of that boot: what was noted of it goes. Any thread may say so."""
        self._forget(boot)
        self._forgotten.add(boot)

    def ring(self) -> None:
        """Something was put into the outbox; worth a word only where it must be on disk before it is published."""
        if self._at_once:
            self._rung.set()

    def check(self) -> None:
        """Raises here what ended the store's thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout_s: float) -> bool:
        """Writes all that still waits, within ``timeout_s``; whether nothing waits, or all is on disk and noted so."""
        self._outbox.stopping()
        self._stop_by = time.monotonic() + timeout_s
        self._stopping.set()
        self._rung.set()
        self._thread.join(timeout_s)
        if self._store is None:
            return not self._outbox.tally().depth
        return self._all_kept and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._rung.wait(LOOK_S)
                self._rung.clear()
                self._work()
            self._work(last=True)
        except BaseException as error:  # noqa: BLE001 - a thread may not die quietly: `check` raises it in the main thread
            self._failure = error

    def _work(self, *, last: bool = False) -> None:
        """Writes what is due; on the last call everything, and the page of this boot with it."""
        for boot in self._outbox.paid():
            self.forget(boot)
        now = time.monotonic()
        if self._store is None or (now < self._retry_at and not last):
            return
        try:
            if self._trouble:
                self._reopen(self._store)
            while self._is_due(now, anything=last) and now < self._stop_by:
                self._write(self._store)
                now = time.monotonic()
            if self._trouble:  # not as soon as it opens: a full disk does that, and would be news at each attempt
                self._tell("")
            if last:
                self._close(self._store)
        except StoreTrouble as why:
            self._retry_at = now + self._retry_s
            self._tell(str(why))
            if why.corrupt:
                if self._found is not None:
                    self._found(None)
                    self._found = None
                self._set_aside(self._store)
            self._wake()

    def _is_due(self, now: float, *, anything: bool) -> bool:
        due_at = self._outbox.batch_due_at()
        return due_at is not None and (anything or due_at <= now)

    def _write(self, store: Store) -> None:
        """One batch, in one transaction."""
        batch = self._outbox.take_batch(time.monotonic())
        forgotten = self._forgotten.copy()  # in one step: another thread may add to it
        try:
            store.write(batch, [self._page()], forgotten)
        except StoreTrouble:
            self._outbox.failed(batch, time.monotonic())
            raise
        self._forgotten -= forgotten
        self._outbox.written(batch, time.monotonic())
        if batch.rows:
            self._wake()

    def _close(self, store: Store) -> None:
        """The last word of this boot in the store: nothing is left, all that is left is here, or what is known of it.

        Only here is it known that nothing is missing: the page of every batch before says what was made by then, and
        what of that is not here the next boot names.
        """
        nothing = Batch(rows=(), gone=(), entries=())
        page, forgotten = self._page(), self._forgotten.copy()
        kept = self._outbox.all_stored()
        if kept and not self._outbox.tally().depth:
            store.write(nothing, (), {page.boot, *forgotten})
        else:
            store.write(nothing, [replace(page, faces=(), settled=True) if kept else page], forgotten)
        store.close()
        self._all_kept = kept

    def _reopen(self, store: Store) -> None:
        """After a trouble: a file that can be used again; what waits is written anew if it is not the same file."""
        saved = store.open()
        self._outbox.store_is(MEMORY_ONLY + self._trouble, works=True)  # before anything of this boot is noted in it
        if self._found is not None:
            self._found(saved)
            self._found = None
        elif not saved.rows:
            self._outbox.store_was_lost()

    def _set_aside(self, store: Store) -> None:
        aside = set_aside(store)
        if aside is not None:
            self._retry_at = float("-inf")  # a new one can be made at once

    def _tell(self, trouble: str) -> None:
        """Says how the store is: in `health` always, in the log when it changes."""
        if trouble != self._trouble:
            if trouble:
                logger.warning("%s%s", MEMORY_ONLY, trouble)
            else:
                logger.info("events are kept on disk again where they must wait")
        self._trouble = trouble
        where = f"memory and {self._store.path}" if self._store else "memory"
        self._outbox.store_is(MEMORY_ONLY + trouble if trouble else where, works=not trouble and bool(self._store))


def set_aside(store: Store) -> Path | None:
    """Makes room for a new store where the old one cannot be read, and says so; None where that cannot be done."""
    try:
        aside = store.set_aside()
    except StoreTrouble as why:
        logger.warning("it cannot be set aside either: %s", why)
        return None
    logger.warning("the store cannot be read: it was set aside as %s, and a new one is made", aside)
    return aside
