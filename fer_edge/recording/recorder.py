"""Keeps the daemon's scores: what the pipeline shows goes to the ring, by a thread that may wait for the disk."""

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
from fer_edge.errors import SettingsError, UserError
from fer_edge.events.lifecycle import Decision
from fer_edge.files import user_path
from fer_edge.recording.format import ENDING, Origin, Recording, Step, StepKind, opening, read_recording, rows
from fer_edge.recording.rotation import SUFFIX, RotatingTables, name_passed_over, read_tables
from fer_edge.types import Event, Face, FaceState, Frame

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
# While nobody is there a frame decides nothing; one row in so many seconds says that somebody was looking.
NOBODY_EVERY_S = 10.0
WAITING_WRITES = 8  # for a disk that hangs; beyond it a stretch is lost, and said
# The run and the opening of a new table, or None to go on with the latest; and rows.
Write = tuple[tuple[str, str] | None, str]


def read_sources(sources: Iterable[Path], tell: Callable[[], None]) -> list[Recording]:
    """Read tables, and folders with all that are in them; ``tell`` is called after each.

    One that cannot be read is passed over where there are others, and that is logged.

    Raises:
        UserError: none can be read.
    """

    def read(source: Path) -> list[Recording]:
        try:
            return read_folder(source) if source.is_dir() else [read_recording(source)]
        finally:
            tell()

    return _each(partial(read, source) for source in sources)


def read_folder(folder: Path) -> list[Recording]:
    """A recording for each video's table, in the order of their names, then one for each run of a daemon, oldest first.

    The daemon's come last, because the settings of the last recording are those that hold now. Hidden files are left
    out: a video that is still being analysed has one. Tables that cannot be read are passed over, and that is logged.

    Raises:
        UserError: there is none, or none can be read.
    """
    tables = sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
    found = _each([*(partial(_recordings, table) for table in tables), partial(read_tables, folder)])
    if not found:
        raise UserError(
            f"{folder}: holds no tables of scores; `fer-edge video --write scores` writes them (*{ENDING}), "
            f"record.enabled has the daemon keep them (*{SUFFIX})"
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
    name_passed_over(failures, any_read=bool(found))
    return found


def open_recorder(settings: Settings, state: Path | None, model: str, now: float, wall: float) -> "Recorder":
    """The recorder that the settings ask for; ``now`` and ``wall`` are the same moment on both clocks.

    Raises:
        SettingsError: there is no folder to record to.
    """
    if not settings.record.folder and state is None:
        raise SettingsError("record.folder: name a folder, there is no state folder here")
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
    """Where scores are kept; ``state`` is the daemon's state folder, for who names none."""
    return user_path(settings.folder) if settings.folder else state / "record"


class Recorder:
    """A observer of the pipeline. The main thread owns it; a thread of its own writes.

    Where a stretch is lost (a disk that is full or hangs) what follows is another run: a replay does not bridge it.
    """

    def __init__(self, settings: RecordSettings, folder: Path, origin: Origin, now: float) -> None:
        """``origin`` has the settings in force and, as `run`, the name of this run, which sorts by time."""
        self._settings = settings
        self._origin = origin
        self._breaks = 0
        self._rows: list[str] = []
        self._begin: tuple[str, str] | None = (origin.run, opening(origin))
        self._write_at = now + settings.write_s
        self._nobody_since = float("-inf")
        self._writes: queue.Queue[Write | None] = queue.Queue(WAITING_WRITES)
        self._failed = ""  # why the latest write failed; the writing thread empties it when one goes well
        self._said = ""
        self._error: BaseException | None = None
        self._ring = RotatingTables(folder, round(settings.max_mib * MIB))
        self._thread = Thread(target=self._guarded, name="recorder", daemon=True)
        self._thread.start()
        logger.info(
            "recording scores (numbers only) to %s: at most %g MiB, one write every %g s",
            folder,
            settings.max_mib,
            settings.write_s,
        )

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Keeps a frame."""
        if not faces and not decision.states and not decision.events:
            if now - self._nobody_since < NOBODY_EVERY_S:
                return
            self._nobody_since = now
        else:
            self._nobody_since = float("-inf")
        self._keep(Step(StepKind.FRAME, now, tuple(faces), number=frame.number), now, decision.in_frame)

    def on_tick(self, decision: Decision, now: float) -> None:
        """Keeps the passing of time where it may end something."""
        if decision.states or decision.events:
            self._keep(Step(StepKind.TICK, now), now)

    def on_close(self, _events: Sequence[Event], reason: str, now: float) -> None:
        """Keeps a farewell."""
        self._keep(Step(StepKind.CLOSED, now, reason=reason), now)

    def reconfigure(self, decide: DecideSettings, lost_s: float) -> None:
        """Another table of the same run, with the settings by which its steps are decided."""
        self._flush()
        self._origin = replace(self._origin, decide=decide, lost_s=lost_s)
        self._begin = (self._origin.run, opening(self._origin))

    @property
    def failure(self) -> str:
        """Why scores are lost just now; empty while all is well."""
        return self._failed

    def check(self) -> None:
        """Raise, once, what ended the writing thread, if anything did: a bug."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self, timeout_s: float) -> None:
        """Writes what is left; waits for the disk at most ``timeout_s``."""
        self._flush()
        try:
            self._writes.put_nowait(None)
        except queue.Full:  # the disk hangs, and what waits for it is lost with the process
            self._look_after()
            return
        self._thread.join(timeout_s)
        self._look_after()

    def _keep(self, step: Step, now: float, verdicts: Sequence[FaceState] = ()) -> None:
        self._rows.append(rows(step, verdicts))
        if now >= self._write_at:
            self._write_at = now + self._settings.write_s
            self._flush()

    def _flush(self) -> None:
        self._look_after()
        if not self._rows:
            return
        try:
            self._writes.put_nowait((self._begin, "".join(self._rows)))
            self._begin = None
        except queue.Full:
            self._failed = "the disk does not keep up"
            self._break()
        self._rows = []

    def _look_after(self) -> None:
        """Says once that writing fails, and once that it goes on; after a failure a new run begins."""
        failed = self._failed
        if failed:
            self._break()
        if failed and not self._said:
            logger.warning("scores are not recorded: %s; trying again", failed)
        elif self._said and not failed:
            logger.info("scores are recorded again")
        self._said = failed

    def _break(self) -> None:
        """What follows does not follow what was written last."""
        self._breaks += 1
        self._origin = replace(self._origin, run=f"{self._origin.run.partition('.')[0]}.{self._breaks}")
        self._begin = (self._origin.run, opening(self._origin))

    def _guarded(self) -> None:
        """Write, and keep whatever ends the thread for `check`: a thread may not die quietly."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - handed over to the main thread, nothing is swallowed
            self._error = error

    def _run(self) -> None:
        broken = False  # something was lost: what follows belongs to the next run, which begins with an opening
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
                self._failed = f"{error.filename or 'the disk'}: {(error.strerror or str(error)).lower()}"
