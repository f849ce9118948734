"""Everything between an event and the broker, put together: what an earlier boot left, the outbox, link and store.

main thread -> ledger (memory), outbox -> link's thread -> broker
                                outbox -> store's thread -> disk
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fer_edge.config import MqttSettings
from fer_edge.deliver.connect import Patience
from fer_edge.deliver.entry import CORRUPT, Limits
from fer_edge.deliver.inbox import Listening
from fer_edge.deliver.ledger import Ledger, remove_ledger
from fer_edge.deliver.link import Link, LinkState
from fer_edge.deliver.messages import Clocks, Messages, as_replayed, new_boot
from fer_edge.deliver.outbox import Outbox
from fer_edge.deliver.page import Page
from fer_edge.deliver.past import Past
from fer_edge.deliver.recover import Lost
from fer_edge.deliver.spill import Spill
from fer_edge.deliver.store import Saved, Store
from fer_edge.deliver.topics import Topics, client_id
from fer_edge.values import Event, Message

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
STORE_STOP_S = 1.0  # what a stop may wait for the disk, which has been at it while the link said farewell
ALIVE_S = 1.0  # how often it is noted that we live


class Folders(msgspec.Struct, frozen=True):
    """Where things are kept; None: nowhere."""

    state: Path | None = None  # on disk
    runtime: Path | None = None  # in memory, outlives the process


class Delivery:
    """The main thread owns it. ``model`` is the network's SHA-256; ``random`` gives 0 to 1 for the jitter of waits.

    Raises:
        SettingsError: a password or certificate file that the settings name cannot be used.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
        self,
        settings: MqttSettings,
        topics: Topics,
        model: str,
        clocks: Clocks,
        random: Callable[[], float],
        *,
        folders: Folders = Folders(),  # noqa: B008 - frozen
        first: Sequence[str] = (),
        listening: Listening | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._clocks = clocks
        self._folders = folders
        self._name = client_id(topics.prefix, topics.device)
        boot = new_boot()
        self.messages = Messages(topics, model, boot, clocks, settings.event_expiry_s)
        wanted = settings.durability != "memory" and folders.state is not None
        store = Store(folders.state / f"{self._name}.db") if wanted and folders.state is not None else None
        past = Past(store, folders.runtime, self._name, topics, clocks)
        self._past = past
        self._ledger = Ledger(folders.runtime, self._name, boot, past.last_number + 1)
        self._alive(clocks.monotonic())
        self._strict = settings.durability == "strict" and store is not None
        self._stopped = False
        trouble = past.begin(self._page()) if store is not None else ""
        outbox = Outbox(
            Limits(events=settings.queue, size_bytes=settings.queue_mib * MIB, replay_hz=settings.replay_hz),
            self.messages.gap,
            as_replayed,
            first or (topics.info, topics.state),
            boot=boot,
            waiting=past.entries,
            first_row=past.next_row,
            durability=settings.durability if store is not None else "memory",
            note=self._acknowledged,
        )
        self.outbox = outbox
        self.link = Link(settings, topics, outbox, random=random, patience=patience, listening=listening)
        self._spill = Spill(
            store,
            outbox,
            at_once=self._strict,
            page=self._page,
            forget=self._forget,
            wake=self.link.wake,
            trouble=trouble,
            found=self._found if past.unread else None,
        )
        # Boots of which it is still to be said that nobody knows how they ended, and under which seq of ours that is.
        self._owed: dict[str, int] = {}
        self._found_lost: deque[Lost] = deque()  # told by the store's thread, for the main thread to say
        for lost in past.lost:
            self._owe(lost)

    def start(self) -> None:
        """Begins to connect and to write, in the background."""
        self._spill.start()
        self.link.start()

    def event(self, event: Event) -> None:
        """Turns what happened into a message and keeps it until the broker has it; returns at once."""
        message = self.messages.event(event)
        self._ledger.made(event, message, self.messages.uptime_s(event.at))
        self.link.publish(message)
        self._spill.ring()

    def publish(self, message: Message) -> None:
        """Hands over a message that is no event; returns at once."""
        self.link.publish(message)

    def check(self, now: float) -> None:
        """Raises here what ended one of the threads, if anything did; and notes that we live."""
        self.link.check()
        self._spill.check()
        self._owe_found()
        if now - self._noted_at >= ALIVE_S:
            self._alive(now)

    def state(self, now: float) -> LinkState:
        """How things are."""
        return self.link.state(now)

    def stop(self, timeout_s: float) -> bool:
        """Sends what is left, says `offline`, hangs up within ``timeout_s``; what is not acknowledged goes to disk.

        The disk may take STORE_STOP_S more.

        Returns:
            Whether the broker has everything.
        """
        self._alive(self._clocks.monotonic())
        self._owe_found()
        self._stopped = True
        self.outbox.stopping()
        delivered = self.link.stop(timeout_s)
        kept = self._spill.stop(STORE_STOP_S)
        left = self.outbox.tally()
        if left.depth and kept:
            logger.info("%d events wait on disk for the next start", left.depth)
        elif lost := left.depth - left.stored:
            logger.warning("%d events were not delivered and are lost: they were kept in memory only", lost)
        self._ledger.close(forget=kept)
        return delivered

    def _owe(self, lost: Lost) -> None:
        """Says that nobody knows how an earlier boot ended; that and its notes stay until the broker has it."""
        message = self.messages.lost(lost.boot, lost.first, lost.reason)
        assert message.seq is not None
        if lost.boot is not None:
            self._owed[lost.boot] = message.seq
        self._ledger.made(None, message, 0.0)
        self.outbox.put(message, self._clocks.monotonic(), owed=True)
        self.link.wake()
        self._spill.ring()

    def _owe_found(self) -> None:
        while self._found_lost:
            self._owe(self._found_lost.popleft())

    def _found(self, saved: Saved | None) -> None:
        """What a store that could not be opened at the start holds after all, None: nothing that can be read.

        The store's thread tells.
        """
        if saved is None:
            self._found_lost.append(Lost(None, None, CORRUPT))
            return
        left = self._past.late(saved)
        self._ledger.renumber(left.last_number + 1)
        self._past.settle(left, self._page(), saved)
        self.outbox.precede(left.entries)
        self._found_lost.extend(left.lost)
        self.link.wake()

    def _alive(self, now: float) -> None:
        self._noted_at = now
        self._ledger.alive(self._clocks.wall(), self.messages.uptime_s(now), synced=self._clocks.synced())

    def _page(self) -> Page:
        """What is to be noted of this boot in the store: exact where nothing is published that is not in it."""
        return self._ledger.page(exact=self._strict or self._stopped)

    def _acknowledged(self, seq: int) -> None:
        """The link's thread tells up to which event of this boot nothing waits any more."""
        self._ledger.acknowledged(seq)
        for boot, owed_to in self._owed.copy().items():  # in one step: the main thread may add to it
            if seq >= owed_to:
                self._spill.forget(boot)
                del self._owed[boot]

    def _forget(self, boot: str) -> None:
        if self._folders.runtime is not None:
            remove_ledger(self._folders.runtime, self._name, boot)
