"""State machine of one source: running, lost, silent, frozen. Pure: events and times in, actions out."""

from enum import Enum, StrEnum

import msgspec
import numpy as np

from fer_edge.backoff import Backoff
from fer_edge.types import Image

SAMPLE_ROWS = 64  # every n-th row is compared first: sensor noise shows in it, and rows are contiguous in memory
SILENCE_S = 1.0  # a broken connection ends a read at once; a read that ends later than this timed out

NO_FRAME = "no frame arrived in time"
NO_OPENING = "it does not respond"
SAME_FRAME = "it sends identical frames"
NO_FIRST_FRAME = "it opens but delivers no frames"
CONNECTION_LOST = "it was unplugged, switched off or disconnected"


class CameraPhase(StrEnum):
    """Phases of a source."""

    OPENING = "opening"  # the first attempt is in progress
    RUNNING = "running"
    LOST = "lost"  # it cannot be opened, or it went away
    SILENT = "silent"  # connected, but no frames arrive
    FROZEN = "frozen"  # it sends identical frames
    ENDED = "ended"  # end of a file or folder
    PAUSED = "paused"  # capture is paused; the camera is closed


class CameraState(msgspec.Struct, frozen=True):
    """State of a source at one moment."""

    phase: CameraPhase
    since: float  # seconds, monotonic
    reason: str = ""  # what is wrong and, if the user can fix it, how; empty while it works
    reopened: int = 0  # times it was opened again after the first


class FrameAction(Enum):
    """Action of the capture thread on a frame and its source."""

    DELIVER = "deliver"
    DROP = "drop"  # the source is frozen
    REOPEN = "reopen"  # the source is frozen and due to be reopened


class Supervisor:
    """Stall detector of one source. The capture thread owns it; other threads may read `state` and call `state_at`."""

    def __init__(self, stall_s: float, backoff: Backoff, now: float, frozen_cure: str = "") -> None:
        """``frozen_cure`` is appended to the reason of a frozen source."""
        self._live = True  # assumed until it is opened
        self._stall_s = stall_s
        self._frozen_reason = SAME_FRAME + frozen_cure
        self._backoff = backoff
        self.state = CameraState(CameraPhase.OPENING, now)
        self.active_at = now  # when the source was last opened or delivered a frame
        self._opened = False
        self._last: Image | None = None
        self._changed_at = now  # when the frame last differed from the one before
        self._wake_at = now  # when a frozen source is due to be reopened

    def opened(self, now: float, *, live: bool) -> None:
        """Record that the source was opened. It counts as running from its first frame on."""
        self._live = live
        if self._opened:
            self.state = msgspec.structs.replace(self.state, reopened=self.state.reopened + 1)
        self._opened = True
        self.active_at = now
        if self.state.phase is not CameraPhase.FROZEN:
            self._last = None

    def failed(self, reason: str, now: float) -> float:
        """Record a failed open or read; return the seconds to wait before the next attempt."""
        self._change(CameraPhase.LOST, reason, now)
        return self._backoff.next_s()

    def lost(self, now: float) -> float:
        """Record that a live source returned no frame; return the seconds to wait before it is reopened."""
        if now - self.active_at > min(SILENCE_S, self._stall_s / 2.0):
            self._change(CameraPhase.SILENT, NO_FRAME, now)
        else:
            self._change(CameraPhase.LOST, NO_FIRST_FRAME if self._last is None else CONNECTION_LOST, now)
        return self._backoff.next_s()

    def ended(self, now: float) -> None:
        """Record the end of a file or folder."""
        self._change(CameraPhase.ENDED, "", now)

    def on_frame(self, image: Image, now: float) -> FrameAction:
        """Record a frame; return what to do with it."""
        self.active_at = now
        if self._live and self._last is not None and identical(self._last, image):
            if self.state.phase is CameraPhase.FROZEN or now - self._changed_at >= self._stall_s:
                return self._frozen(now)
        else:
            self._last, self._changed_at = image, now
        self._change(CameraPhase.RUNNING, "", now)
        if now - self.state.since >= self._stall_s:
            self._backoff.reset()
        return FrameAction.DELIVER

    def state_at(self, now: float) -> CameraState:
        """The state at ``now``, also while an open or read blocks."""
        state, active_at = self.state, self.active_at
        if (
            not self._live
            or now - active_at <= self._stall_s
            or state.phase not in (CameraPhase.RUNNING, CameraPhase.OPENING)
        ):
            return state
        reason = NO_OPENING if state.phase is CameraPhase.OPENING else NO_FRAME
        return msgspec.structs.replace(state, phase=CameraPhase.SILENT, since=active_at, reason=reason)

    def _frozen(self, now: float) -> FrameAction:
        """Keep reading while frozen, so that the first new frame is noticed at once, and reopen from time to time."""
        if self.state.phase is not CameraPhase.FROZEN:
            self._change(CameraPhase.FROZEN, self._frozen_reason, now)
        elif now < self._wake_at:
            return FrameAction.DROP
        self._wake_at = now + self._stall_s + self._backoff.next_s()
        return FrameAction.REOPEN

    def _change(self, phase: CameraPhase, reason: str, now: float) -> None:
        """Set the state; `since` changes only with the phase."""
        if (phase, reason) != (self.state.phase, self.state.reason):
            since = self.state.since if phase is self.state.phase else now
            self.state = msgspec.structs.replace(self.state, phase=phase, since=since, reason=reason)


def identical(a: Image, b: Image) -> bool:
    """Return whether two frames are bit-identical. Sensor noise makes that impossible for a working camera.

    A sample of rows is compared first; the whole frame only if those are equal.
    """
    if a.shape != b.shape:
        return False
    return bool((a[::SAMPLE_ROWS] == b[::SAMPLE_ROWS]).all() and np.array_equal(a, b))
