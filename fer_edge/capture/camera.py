"""Camera: a capture thread that reads a source, reopens it after a loss and fills the latest-frame slot."""

import logging
import math
import random
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Thread

from msgspec.structs import replace

from fer_edge.backoff import Backoff
from fer_edge.capture.network import frozen_cure
from fer_edge.capture.sources import Recording, Source, open_source
from fer_edge.capture.supervisor import CameraPhase, CameraState, FrameAction, Supervisor
from fer_edge.capture.uri import redact
from fer_edge.capture.video import PlaybackClock
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.masks import NO_MASK
from fer_edge.types import Frame, Image

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5  # bound of the wait before the first attempt to reopen
# An open or read that takes longer than this hangs: every source has a shorter timeout of its own.
HANG_S = 60.0
STOP_LIMIT_S = 2.0  # a read that hangs in a driver cannot be interrupted; its thread is abandoned
STILL_READING = "a read hangs in the driver: the camera is closed when the read returns, and its frame is dropped"


class LatestFrame:
    """One-slot buffer, newest frame wins. Thread-safe: one thread puts, another takes."""

    def __init__(self) -> None:
        self._filled = Condition()
        self._frame: Frame | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames replaced before they were taken, since the start."""
        return self._dropped

    def put(self, frame: Frame) -> None:
        """Store ``frame``, replacing one that was not taken."""
        with self._filled:
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
            self._filled.notify()

    def clear(self) -> None:
        """Discard the frame in the slot; it does not count as dropped."""
        with self._filled:
            self._frame = None

    def take(self, timeout_s: float) -> Frame | None:
        """Remove and return the frame in the slot, or the next to arrive within ``timeout_s`` seconds, or None."""
        with self._filled:
            if self._frame is None:
                self._filled.wait_for(lambda: self._frame is not None, timeout_s)
            frame, self._frame = self._frame, None
            return frame


class Camera:
    """Capture of a source in a thread, until it is paused or stopped. Not thread-safe; the main thread owns it.

    Each resume starts a new thread. One whose read hangs in a driver is abandoned and its frame dropped.
    """

    def __init__(  # noqa: PLR0913 - one parameter per component
        self,
        settings: CameraSettings,
        latest_frame: LatestFrame,
        *,
        mask: Callable[[Image], Image] = NO_MASK,
        opener: Callable[[CameraSettings], Source] = open_source,
        paused: bool = False,
        now: float = 0.0,
    ) -> None:
        """``mask`` is applied to every frame; ``now`` (monotonic seconds) is the start of an initial pause."""
        self._latest_frame = latest_frame
        self._new_thread = partial(CaptureThread, settings, latest_frame, mask=mask, opener=opener)
        self._thread = self._new_thread()
        self._paused_since = now if paused else None
        self._closed = True  # whether the source that was paused is closed
        self._reopened = 0  # times that earlier threads reopened the source

    @property
    def paused(self) -> bool:
        """Return whether the camera is paused."""
        return self._paused_since is not None

    def start(self) -> None:
        """Start to capture, unless the camera is paused."""
        if not self.paused:
            self._thread.start()

    def pause(self, now: float) -> None:
        """Close the source and discard the frame in the slot; a second call does nothing."""
        if self.paused:
            return
        self._reopened = self.state(now).reopened
        self._closed = self._thread.stop()
        self._latest_frame.clear()
        self._paused_since = now

    def resume(self) -> None:
        """Open the source again; a second call does nothing."""
        if not self.paused:
            return
        self._paused_since = None
        self._thread = self._new_thread()
        self._thread.start()

    def state(self, now: float) -> CameraState:
        """The state of the camera at ``now``, monotonic seconds."""
        if self._paused_since is not None:
            self._closed = self._closed or self._thread.ended()
            return CameraState(
                CameraPhase.PAUSED, self._paused_since, "" if self._closed else STILL_READING, self._reopened
            )
        state = self._thread.state(now)
        return replace(state, reopened=self._reopened + state.reopened)

    @property
    def deadline(self) -> float:
        """Monotonic seconds by which the capture thread must make progress; infinite while paused and after the end."""
        return math.inf if self.paused else self._thread.deadline

    def check(self) -> None:
        """Raise the error that ended the capture thread, if any: UnusableSource, or a bug."""
        self._thread.check()

    def stop(self) -> None:
        """End the capture for good."""
        self._thread.stop()


class CaptureThread:
    """One run of the capture thread. `start`, `stop`, `state`, `deadline` and `check` belong to the main thread.

    Opener, monotonic clock, random draw of the backoff and wait are parameters; by default `stop` ends a wait.
    """

    def __init__(  # noqa: PLR0913 - the outside world, by name
        self,
        settings: CameraSettings,
        latest_frame: LatestFrame,
        *,
        mask: Callable[[Image], Image] = NO_MASK,
        opener: Callable[[CameraSettings], Source] = open_source,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._settings = settings
        self._latest_frame = latest_frame
        self._mask = mask
        self._opener = opener
        self._clock = clock
        self._stopping = Event()
        self._wait = wait or self._stopping.wait
        backoff = Backoff(FIRST_WAIT_S, settings.reopen_max_s, draw)
        self._supervisor = Supervisor(settings.stall_s, backoff, clock(), frozen_cure(settings))
        self._logged = self._supervisor.state
        self._number = 0
        self._error: BaseException | None = None
        self._deadline = clock() + HANG_S
        self._thread = Thread(target=self._guarded, name="capture", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> bool:
        """End the capture within STOP_LIMIT_S, even if a read hangs. A second call does nothing.

        Returns:
            Whether the thread has ended. If not, a read hangs; its frame will be dropped.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)
            if self._thread.is_alive():
                logger.debug("camera: a read is still in progress; its thread ends when it returns")
        return self.ended()

    def ended(self) -> bool:
        """Return whether the thread is not running; the source is then closed."""
        return not self._thread.is_alive()

    @property
    def deadline(self) -> float:
        """Monotonic seconds by which the thread must make progress; infinite after the end of a file."""
        return self._deadline

    def state(self, now: float) -> CameraState:
        """The state of the source at ``now``, monotonic seconds."""
        return self._supervisor.state_at(now)

    def check(self) -> None:
        """Raise the error that ended the thread, if any: UnusableSource, or a bug."""
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        """Capture until `stop` is called or a file ends; the thread's body. Raises UnusableSource."""
        while not self._stopping.is_set() and self._supervisor.state.phase is not CameraPhase.ENDED:
            self._set_deadline(HANG_S)
            try:
                source = self._opener(self._settings)
            except UnusableSource:
                raise
            except SourceError as error:
                wait_s = self._supervisor.failed(str(error), self._clock())
            else:
                wait_s = self._read_out(source)
            self._log_change()
            self._set_deadline(wait_s + HANG_S)
            self._wait(wait_s)
        self._set_deadline(float("inf"))

    def _guarded(self) -> None:
        """Run, and keep an error for `check`: a thread's failure must reach the main loop."""
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread by `check`
            self._error = error

    def _read_out(self, source: Source) -> float:
        """Read a source until it must be closed; return the seconds to wait before it is reopened."""
        self._supervisor.opened(self._clock(), live=source.live)
        recording, playback = source if isinstance(source, Recording) else None, PlaybackClock()
        try:
            while not self._stopping.is_set():
                self._set_deadline(HANG_S)
                image = source.read()
                if image is None and not source.live:
                    self._supervisor.ended(self._clock())
                    return 0.0
                if image is None:
                    return self._supervisor.lost(self._clock())
                if recording is not None:
                    self._wait_for_media_time(playback.wait_s(recording.position_s, self._clock()))
                if self._deliver(self._mask(image)) is FrameAction.REOPEN:
                    return 0.0
        except SourceError as error:
            return self._supervisor.failed(str(error), self._clock())
        finally:
            source.close()
        return 0.0

    def _wait_for_media_time(self, wait_s: float) -> None:
        """Wait until a recording's next frame is due; minutes where a video is mostly still."""
        self._set_deadline(wait_s + HANG_S)
        self._wait(wait_s)

    def _set_deadline(self, within_s: float) -> None:
        """Set this thread's watchdog deadline before a blocking call."""
        self._deadline = self._clock() + within_s

    def _deliver(self, image: Image) -> FrameAction:
        """Put a frame into the latest-frame slot, unless the source is frozen or the thread is stopping."""
        if self._stopping.is_set():
            return FrameAction.DROP
        now = self._clock()
        action = self._supervisor.on_frame(image, now)
        if action is FrameAction.DELIVER:
            self._latest_frame.put(Frame(image, now, self._number))
            self._number += 1
        self._log_change()
        return action

    def _log_change(self) -> None:
        """Log a change of phase or reason once."""
        state, logged = self._supervisor.state, self._logged
        if state is logged:
            return
        self._logged = state
        if (state.phase, state.reason) == (logged.phase, logged.reason):
            return
        name = redact(str(self._settings.source))
        match state.phase:
            case CameraPhase.RUNNING:
                logger.info("camera %s: running", name)
            case CameraPhase.ENDED:
                logger.info("camera %s: end of file", name)
            case _:
                logger.warning("camera %s: %s: %s; retrying", name, state.phase, state.reason)
