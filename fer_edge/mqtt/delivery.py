"""Delivery of events to the broker: recovery of earlier runs, journal, outbox, link and spool, put together.

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
from fer_edge.mqtt.messages import Clocks, Messages, as_replayed, new_run_name
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
STORE_STOP_S = 1.0  # limit of a stop for the disk, after the link
ALIVE_S = 1.0  # interval at which the journal records that the daemon runs
UNREAD_RUNS = 1_000_000  # numbers reserved for the runs in a disk copy that cannot be read yet


class Folders(msgspec.Struct, frozen=True):
    """Folders for persistent data; None: not persisted."""

    state: Path | None = None  # on disk
    runtime: Path | None = None  # in memory; survives the process


class Delivery:
    """Event delivery. The main thread owns it. ``model`` is the network's SHA-256; ``random`` gives 0 to 1 for jitter.

    Raises:
        SettingsError: a password or certificate file that the settings name cannot be used.
    """

    def __init__(  # noqa: PLR0913  keyword arguments
        self,
        settings: MqttSettings,
        topics: Topics,
        model: str,
        clocks: Clocks,
        random: Callable[[], float],
        *,
        folders: Folders = Folders(),  # noqa: B008 - frozen
        first: Sequence[str] = (),
        subscription: Subscription | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        load_credentials(settings)
        self._clocks = clocks
        name = client_id(topics.prefix, topics.device)
        self._ledgers = take_ledgers(folders.runtime, name)
        run_name = new_run_name()
        self.messages = Messages(topics, model, run_name, clocks, settings.event_expiry_s)
        self._journal = Journal(None if folders.runtime is None else folders.runtime / f"{name}{SUFFIX}")
        if folders.runtime is None and folders.state is not None:
            logger.warning("no runtime directory in memory: %s", COST)
        self.outbox = Outbox(
            self._journal,
            Limits(events=settings.queue, size_bytes=settings.queue_mib * MIB, replay_hz=settings.replay_hz),
            self.messages.gap,
            as_replayed,
            topics.event,
            first or (topics.info, topics.state),
        )
        self.link = Link(settings, topics, self.outbox, random=random, timeouts=timeouts, subscription=subscription)
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
        self._alive_noted_at = float("-inf")
        # Unknown ends of earlier runs: found by the spool's thread, published by the main thread.
        self._lost: deque[Lost] = deque()
        self._run = Run(number=1, name=run_name)
        self._spool.open()
        if not self._journal.run.name:
            self._found(Saved(), is_unread=self._has_copy)

    def start(self) -> None:
        """Start the threads of the link and of the spool."""
        self._publish_lost()
        if not self._has_copy:
            self._journal.forget(self._journal.done())
        self._spool.start()
        self.link.start()

    def event(self, event: Event) -> None:
        """Enqueue an event until the broker acknowledges it; returns at once."""
        message = self.messages.event(event)
        uptime_s = self.messages.uptime_s(event.at)
        self.outbox.put(message, self._clocks.monotonic(), event=event, uptime_s=uptime_s)
        self.link.wake()
        self._spool.ring()

    def publish(self, message: Message) -> None:
        """Enqueue a message that is not an event; returns at once."""
        self.link.publish(message)

    def check(self, now: float) -> None:
        """Raise the error that ended one of the threads, if any; record that the daemon runs."""
        self.link.check()
        self._spool.check()
        self._publish_lost()
        if now - self._alive_noted_at >= ALIVE_S:
            self._alive(now)

    def state(self, now: float) -> LinkState:
        """Return the state of the link."""
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
        """Recover what earlier runs left; again if the spool can open the disk copy only later."""
        has_begun = bool(self._journal.run.name)
        try:
            lost = self._recover(saved, is_unread=is_unread)
        except sqlite3.Error as error:
            self._journal.start_over(str(error))
            lost = self._recover(saved, is_unread=is_unread)
        self._lost.extend(lost)
        if has_begun:
            self.outbox.rows_added()
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
        """Publish each unknown end of an earlier run as a pinned event of this run."""
        while self._lost:
            lost = self._lost[0]
            message = self.messages.lost(lost.run, lost.first, lost.reason)
            self.outbox.put(message, self._clocks.monotonic(), pinned=True)
            note_published(self._journal, lost)  # killed in between, the next run publishes it again
            self._lost.popleft()
            self.link.wake()
            self._spool.ring()

    def _alive(self, now: float) -> None:
        self._alive_noted_at = now
        self._journal.alive(self._clocks.wall(), self.messages.uptime_s(now), synced=self._clocks.synced())


def forget_events(folders: Folders, topics: Topics) -> None:
    """Delete the stored events of earlier runs of this device, and log it if there were any.

    Raises:
        UserError: a file cannot be deleted, so its events could still be published.
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
            raise UserError(f"{path}: cannot be deleted (privacy.mode aggregate): {error.strerror}") from error
    if found:
        logger.info("deleted the stored events of earlier runs (privacy.mode aggregate): %d files", len(found))
