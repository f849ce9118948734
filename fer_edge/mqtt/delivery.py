"""Everything between an event and the broker, put together: recovery of earlier runs, journal, outbox, link, spool.

main thread -> journal (memory) -> link's thread -> broker
                journal -> spool's thread -> disk
"""

import glob
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fer_edge.config.model import MqttSettings
from fer_edge.errors import UserError
from fer_edge.mqtt.connect import Timeouts
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.journal import COST, SUFFIX, Journal, Limits, Run
from fer_edge.mqtt.link import Link, LinkState
from fer_edge.mqtt.messages import Clocks, Messages, as_replayed, new_boot
from fer_edge.mqtt.outbox import Outbox
from fer_edge.mqtt.recovery import (
    LEDGER_SUFFIX,
    Lost,
    last_number,
    note_published,
    read_format_1,
    recover,
    take_ledgers,
)
from fer_edge.mqtt.requests import Subscription
from fer_edge.mqtt.spool import MARK_SUFFIX, DiskCopy, Saved, Spool
from fer_edge.mqtt.topics import Topics, client_id
from fer_edge.types import Event, Message

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
STORE_STOP_S = 1.0  # what a stop may wait for the disk, beyond what the link takes
ALIVE_S = 1.0  # how often it is recorded that the daemon runs
UNREAD_RUNS = 1_000_000  # numbers left free for the runs in a disk copy that cannot be read yet


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
        listening: Subscription | None = None,
        patience: Timeouts | None = None,
    ) -> None:
        load_credentials(settings)
        self._clocks = clocks
        name = client_id(topics.prefix, topics.device)
        self._ledgers = take_ledgers(folders.runtime, name)
        boot = new_boot()
        self.messages = Messages(topics, model, boot, clocks, settings.event_expiry_s)
        self._journal = Journal(None if folders.runtime is None else folders.runtime / f"{name}{SUFFIX}")
        if folders.runtime is None and folders.state is not None:
            logger.warning("there is no runtime directory in memory: %s", COST)
        self.outbox = Outbox(
            self._journal,
            Limits(events=settings.queue, size_bytes=settings.queue_mib * MIB, replay_hz=settings.replay_hz),
            self.messages.gap,
            as_replayed,
            topics.event,
            first or (topics.info, topics.state),
        )
        self.link = Link(settings, topics, self.outbox, random=random, patience=patience, listening=listening)
        copy = None
        if settings.durability != "memory" and folders.state is not None:
            copy = DiskCopy(folders.state / f"{name}.db")
        self._has_copy = copy is not None
        self._spool = Spool(
            copy,
            self._journal,
            self.outbox,
            strict=settings.durability == "strict",
            found=self._found,
            read_older=read_format_1,
            wake=self.link.wake,
        )
        self._noted_at = float("-inf")
        # Ends of earlier runs that nobody knows: found by the spool's thread, published by the main thread.
        self._lost: deque[Lost] = deque()
        self._run = Run(number=1, name=boot)
        self._spool.open()
        if not self._journal.run.name:
            self._found(Saved(), is_unread=self._has_copy)

    def start(self) -> None:
        """Begin to connect and to write, in the background."""
        self._publish_lost()
        if not self._has_copy:
            self._journal.forget(self._journal.done())
        self._spool.start()
        self.link.start()

    def event(self, event: Event) -> None:
        """Make a message of an event and keep it until the broker has it; returns at once."""
        message = self.messages.event(event)
        uptime_s = self.messages.uptime_s(event.at)
        self.outbox.put(message, self._clocks.monotonic(), event=event, uptime_s=uptime_s)
        self.link.wake()
        self._spool.ring()

    def publish(self, message: Message) -> None:
        """Hands over a message that is no event; returns at once."""
        self.link.publish(message)

    def check(self, now: float) -> None:
        """Raises here what ended one of the threads, if anything did; and notes that we live."""
        self.link.check()
        self._spool.check()
        self._publish_lost()
        if now - self._noted_at >= ALIVE_S:
            self._alive(now)

    def state(self, now: float) -> LinkState:
        """How things are."""
        return self.link.state(now)

    def stop(self, timeout_s: float) -> bool:
        """Publish the rest and `offline` and disconnect within ``timeout_s``; persist what is not acknowledged.

        The disk may take STORE_STOP_S more. A step that fails does not skip the following ones.

        Returns:
            Whether the broker acknowledged everything.
        """
        try:
            self._publish_lost()
            self._alive(self._clocks.monotonic())
        finally:
            try:
                delivered = self.link.stop(timeout_s)
            finally:
                self._persist()
        return delivered

    def _persist(self) -> None:
        """Stop the spool and close the journal, which is kept if its rows are not on disk."""
        kept = False
        try:
            self._journal.close_run()
        finally:
            try:
                kept = self._spool.stop(STORE_STOP_S)
                self._log_remaining(on_disk=kept)
            finally:
                self._journal.close(remove=kept)

    def _log_remaining(self, *, on_disk: bool) -> None:
        left = self.outbox.tally()
        if left.depth and (on_disk or self._journal.outlives):
            logger.info("%d events are kept %s for the next start", left.depth, "on disk" if on_disk else "in memory")
        elif lost := left.depth - left.stored:
            logger.warning("%d events were not delivered and are lost: they were kept in memory only", lost)

    def _found(self, saved: Saved, *, is_unread: bool = False) -> None:
        """Take over what earlier runs left; once more when a disk copy can be opened only later, by the spool."""
        begun = bool(self._journal.run.name)
        try:
            lost = self._recover(saved, is_unread=is_unread)
        except sqlite3.Error as error:
            self._journal.start_over(str(error))
            lost = self._recover(saved, is_unread=is_unread)
        self._lost.extend(lost)
        if begun:
            self.outbox.found_earlier()
            self.link.wake()

    def _recover(self, saved: Saved, *, is_unread: bool) -> list[Lost]:
        with self._journal.transaction():
            lost = recover(self._journal, saved, self._clocks, self._ledgers)
            if not self._journal.run.name:
                self._run.number = last_number(self._journal, saved) + 1 + is_unread * UNREAD_RUNS
                self._journal.begin(self._run)
                self._alive(self._clocks.monotonic())
        self._ledgers = []
        return lost

    def _publish_lost(self) -> None:
        """Publish each unknown end of an earlier run as an event of this run, which stays until the broker has it."""
        while self._lost:
            lost = self._lost[0]
            message = self.messages.lost(lost.run, lost.first, lost.reason)
            self.outbox.put(message, self._clocks.monotonic(), owed=True)
            note_published(self._journal, lost)  # killed in between, the next run publishes it again
            self._lost.popleft()
            self.link.wake()
            self._spool.ring()

    def _alive(self, now: float) -> None:
        self._noted_at = now
        self._journal.alive(self._clocks.wall(), self.messages.uptime_s(now), synced=self._clocks.synced())


def forget_events(folders: Folders, topics: Topics) -> None:
    """Removes the store and the notes of earlier runs of this device, and says so where there were any.

    Raises:
        UserError: they cannot be removed, so what is in them could still be told.
    """
    name = glob.escape(client_id(topics.prefix, topics.device))
    found = (
        []
        if folders.state is None
        else sorted((*folders.state.glob(f"{name}.db*"), *folders.state.glob(f"{name}{MARK_SUFFIX}")))
    )
    if folders.runtime is not None:
        for pattern in (f"{name}{SUFFIX}*", f"{name}.*{LEDGER_SUFFIX}"):
            found += sorted(folders.runtime.glob(pattern))
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{path}: cannot be removed, as privacy.mode aggregate asks: {error.strerror}") from error
    if found:
        logger.info("events of earlier runs are thrown away, as privacy.mode aggregate asks: %d files", len(found))
