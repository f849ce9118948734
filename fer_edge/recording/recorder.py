"""Recorder of the daemon's scores: a pipeline observer, and a thread of its own that writes to disk."""

import logging
import queue
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread

from msgspec.structs import replace

from fer_edge.config.model import DecideSettings, RecordSettings, Settings
from fer_edge.errors import SettingsError, UserError, os_reason
from fer_edge.events.lifecycle import Decision
from fer_edge.files import user_path
from fer_edge.recording.format import ENDING, Origin, Recording, Step, StepKind, opening, read_recording, rows
from fer_edge.recording.rotation import SUFFIX, RotatingTables, log_skipped, read_tables
from fer_edge.types import Event, Face, FaceState, Frame

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
# Without faces a frame decides nothing; one row in so many seconds records that the camera was running.
EMPTY_EVERY_S = 10.0
WAITING_WRITES = 8  # for a disk that hangs; beyond it scores are lost, which is logged
# Run and opening of a new table, or None to continue the latest; and rows.
Write = tuple[tuple[str, str] | None, str]


def read_sources(sources: Iterable[Path], advance: Callable[[], None]) -> list[Recording]:
    """Read tables, and folders of tables; ``advance`` is called after each.

    One that cannot be read is skipped with a warning if others can.

    Raises:
        UserError: none can be read.
    """

    def read(source: Path) -> list[Recording]:
        try:
            return read_folder(source) if source.is_dir() else [read_recording(source)]
        finally:
            advance()

    return _each(partial(read, source) for source in sources)


def read_folder(folder: Path) -> list[Recording]:
    """Read a recording for each video's table, in the order of names, then for each run of the daemon, oldest first.

    The daemon's come last, because the settings of the last recording are those in force. Hidden files are left out:
    they are outputs in progress. Tables that cannot be read are skipped with a warning.

    Raises:
        UserError: the folder holds no tables, or none can be read.
    """
    tables = sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
    found = _each([*(partial(_recordings, table) for table in tables), partial(read_tables, folder)])
    if not found:
        raise UserError(
            f"{folder}: holds no tables of scores; `fer-edge video --write scores` writes them (*{ENDING}), "
            f"record.enabled makes the daemon write them (*{SUFFIX})"
        )
    return found


def _recordings(table: Path) -> list[Recording]:
    return [read_recording(table)]


def _each(reads: Iterable[Callable[[], Sequence[Recording]]]) -> list[Recording]:
    found: list[Recording] = []
    failures: list[UserError] = []
    for read in reads:
        try:
            found += read()
        except UserError as error:
            failures.append(error)
    log_skipped(failures, any_read=bool(found))
    return found


def open_recorder(settings: Settings, state: Path | None, model: str, now: float, wall: float) -> "Recorder":
    """Return the recorder of the settings; ``now`` and ``wall`` are the same moment on both clocks.

    Raises:
        SettingsError: neither record.folder nor a state folder is given.
    """
    if not settings.record.folder and state is None:
        raise SettingsError("record.folder: must be set, there is no state folder")
    folder = scores_folder(settings.record, state or Path())
    origin = Origin(
        decide=settings.decide,
        lost_s=settings.track.lost_s,
        model=model,
        source="camera",
        began_wall=wall - now,
        run=f"{datetime.fromtimestamp(wall, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}",
    )
    return Recorder(settings.record, folder, origin, now)


def scores_folder(settings: RecordSettings, state: Path) -> Path:
    """Return the folder of the scores: record.folder, else one in the daemon's state folder ``state``."""
    return user_path(settings.folder) if settings.folder else state / "record"


class Recorder:
    """Pipeline observer that records scores. The main thread owns it; a thread of its own writes.

    After a failure (a disk that is full or hangs) a new run begins, so that a replay does not bridge the lost part.
    """

    def __init__(self, settings: RecordSettings, folder: Path, origin: Origin, now: float) -> None:
        """``origin`` has the settings in force and the name of this run, which sorts by time."""
        self._settings = settings
        self._origin = origin
        self._new_runs = 0
        self._rows: list[str] = []
        self._begin: tuple[str, str] | None = (origin.run, opening(origin))
        self._write_at = now + settings.write_s
        self._empty_since = float("-inf")
        self._writes: queue.Queue[Write | None] = queue.Queue(WAITING_WRITES)
        self._failed = ""  # error of the latest write; cleared by the writing thread after a success
        self._logged = ""
        self._error: BaseException | None = None
        self._ring = RotatingTables(folder, round(settings.max_mib * MIB))
        self._thread = Thread(target=self._run_guarded, name="recorder", daemon=True)
        self._thread.start()
        logger.info(
            "recording scores (numbers only) to %s: at most %g MiB, one write every %g s",
            folder,
            settings.max_mib,
            settings.write_s,
        )

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Record a frame."""
        if not faces and not decision.states and not decision.events:
            if now - self._empty_since < EMPTY_EVERY_S:
                return
            self._empty_since = now
        else:
            self._empty_since = float("-inf")
        self._add(Step(StepKind.FRAME, now, tuple(faces), number=frame.number), now, decision.in_frame)

    def on_tick(self, decision: Decision, now: float) -> None:
        """Record a tick if it can end a track."""
        if decision.states or decision.events:
            self._add(Step(StepKind.TICK, now), now)

    def on_close(self, _events: Sequence[Event], reason: str, now: float) -> None:
        """Record the end of all tracks."""
        self._add(Step(StepKind.CLOSED, now, reason=reason), now)

    def reconfigure(self, decide: DecideSettings, lost_s: float) -> None:
        """Begin another table of the same run, with other settings."""
        self._flush()
        self._origin = replace(self._origin, decide=decide, lost_s=lost_s)
        self._begin = (self._origin.run, opening(self._origin))

    @property
    def failure(self) -> str:
        """Reason that scores are being lost; empty if none are."""
        return self._failed

    def check(self) -> None:
        """Raise, once, the error that ended the writing thread, if any: a bug."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self, timeout_s: float) -> None:
        """Write the rest; wait for the disk at most ``timeout_s``."""
        self._flush()
        try:
            self._writes.put_nowait(None)
        except queue.Full:  # the disk hangs; queued rows are lost
            self._log_changes()
            return
        self._thread.join(timeout_s)
        self._log_changes()

    def _add(self, step: Step, now: float, states: Sequence[FaceState] = ()) -> None:
        self._rows.append(rows(step, states))
        if now >= self._write_at:
            self._write_at = now + self._settings.write_s
            self._flush()

    def _flush(self) -> None:
        self._log_changes()
        if not self._rows:
            return
        try:
            self._writes.put_nowait((self._begin, "".join(self._rows)))
            self._begin = None
        except queue.Full:
            self._failed = "the disk does not keep up"
            self._begin_new_run()
        self._rows = []

    def _log_changes(self) -> None:
        """Log once that writing fails and once that it works again; after a failure begin a new run."""
        failed = self._failed
        if failed:
            self._begin_new_run()
        if failed and not self._logged:
            logger.warning("scores are not recorded: %s; retrying", failed)
        elif self._logged and not failed:
            logger.info("scores are recorded again")
        self._logged = failed

    def _begin_new_run(self) -> None:
        """Begin a new run: the next rows do not continue those written last."""
        self._new_runs += 1
        self._origin = replace(self._origin, run=f"{self._origin.run.partition('.')[0]}.{self._new_runs}")
        self._begin = (self._origin.run, opening(self._origin))

    def _run_guarded(self) -> None:
        """Run the writing thread; keep the error that ends it for `check`."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread by check()
            self._error = error

    def _run(self) -> None:
        broken = False  # rows were lost: the next ones belong to a new run, which begins with an opening
        while (write := self._writes.get()) is not None:
            begin, text = write
            if broken and not begin:
                continue
            try:
                if begin:
                    self._ring.begin(*begin)
                self._ring.append(text)
                broken, self._failed = False, ""
            except OSError as error:
                broken = True
                self._failed = f"{error.filename or 'the disk'}: {os_reason(error)}"
