"""Whether a source is well: a pure machine that is told what happened and when, and says what to do. No threads."""

from enum import Enum, StrEnum

import msgspec
import numpy as np

from fer_edge.backoff import Backoff
from fer_edge.types import Image

SAMPLE_ROWS = 64  # one row of so many is compared first: noise shows in it, and whole rows lie together in memory
SILENCE_S = 1.0  # a connection that breaks ends a read at once; a read that ends later than this had heard nothing

NO_PICTURE = "no picture arrived in time"
NO_OPENING = "it does not answer"
SAME_PICTURE = "it sends the very same picture again and again"
NO_FIRST_PICTURE = "it opens but gives no picture"
CONNECTION_LOST = "it was unplugged, switched off or cut off"


class CameraPhase(StrEnum):
    """How a source is doing."""

    OPENING = "opening"  # the first attempt has not ended yet
    RUNNING = "running"
    LOST = "lost"  # it cannot be opened, or it went away
    SILENT = "silent"  # it is there and sends nothing
    FROZEN = "frozen"  # it sends the very same picture
    ENDED = "ended"  # a file or folder is at its end
    PAUSED = "paused"  # somebody asked that nobody is looked at; the camera is closed


class CameraState(msgspec.Struct, frozen=True):
    """What there is to say about a source at a moment."""

    phase: CameraPhase
    since: float  # seconds, monotonic
    reason: str = ""  # what is wrong and, where the user can cure it, how; empty while all is well
    reopened: int = 0  # times it was opened after the first


class FrameAction(Enum):
    """What is to become of a picture, and of its source."""

    DELIVER = "deliver"
    DROP = "withhold"  # the source is frozen: this is no news
    REOPEN = "reopen"  # the same, and it is time to try and wake the source


class Supervisor:
    """Follows one source through its life. The capture thread owns it; others may read `state` and `heard_at`."""

    def __init__(self, stall_s: float, backoff: Backoff, now: float, frozen_cure: str = "") -> None:
        """``frozen_cure`` ends the reason of a frozen source."""
        self._live = True  # until it was opened and says otherwise
        self._stall_s = stall_s
        self._frozen_reason = SAME_PICTURE + frozen_cure
        self._backoff = backoff
        self.state = CameraState(CameraPhase.OPENING, now)
        self.heard_at = now  # when the source last gave a sign of life
        self._opened = False
        self._last: Image | None = None
        self._changed_at = now  # when the picture last differed from the one before
        self._wake_at = now  # when a frozen source is to be opened anew

    def opened(self, now: float, *, live: bool) -> None:
        """The source was opened. It is well only when it gives a picture."""
        self._live = live
        if self._opened:
            self.state = msgspec.structs.replace(self.state, reopened=self.state.reopened + 1)
        self._opened = True
        self.heard_at = now
        if self.state.phase is not CameraPhase.FROZEN:
            self._last = None

    def failed(self, reason: str, now: float) -> float:
        """The source could not be opened or read; the wait in seconds before the next attempt."""
        self._change(CameraPhase.LOST, reason, now)
        return self._backoff.next_s()

    def lost(self, now: float) -> float:
        """A read of a live source gave nothing; the wait in seconds before it is opened anew."""
        if now - self.heard_at > min(SILENCE_S, self._stall_s / 2.0):
            self._change(CameraPhase.SILENT, NO_PICTURE, now)
        else:
            self._change(CameraPhase.LOST, NO_FIRST_PICTURE if self._last is None else CONNECTION_LOST, now)
        return self._backoff.next_s()

    def ended(self, now: float) -> None:
        """A file or folder is at its end."""
        self._change(CameraPhase.ENDED, "", now)

    def picture(self, image: Image, now: float) -> FrameAction:
        """A picture came; what is to become of it."""
        self.heard_at = now
        if self._live and self._last is not None and same(self._last, image):
            if self.state.phase is CameraPhase.FROZEN or now - self._changed_at >= self._stall_s:
                return self._frozen(now)
        else:
            self._last, self._changed_at = image, now
        self._change(CameraPhase.RUNNING, "", now)
        if now - self.state.since >= self._stall_s:
            self._backoff.reset()
        return FrameAction.DELIVER

    def seen_at(self, now: float) -> CameraState:
        """The state as it is at ``now``, also while a read or an opening that nobody can hurry is under way."""
        state, heard_at = self.state, self.heard_at
        if (
            not self._live
            or now - heard_at <= self._stall_s
            or state.phase not in (CameraPhase.RUNNING, CameraPhase.OPENING)
        ):
            return state
        reason = NO_OPENING if state.phase is CameraPhase.OPENING else NO_PICTURE
        return msgspec.structs.replace(state, phase=CameraPhase.SILENT, since=heard_at, reason=reason)

    def _frozen(self, now: float) -> FrameAction:
        """Read on while frozen, so that the first new picture is seen at once, and open anew now and then."""
        if self.state.phase is not CameraPhase.FROZEN:
            self._change(CameraPhase.FROZEN, self._frozen_reason, now)
        elif now < self._wake_at:
            return FrameAction.DROP
        self._wake_at = now + self._stall_s + self._backoff.next_s()
        return FrameAction.REOPEN

    def _change(self, phase: CameraPhase, reason: str, now: float) -> None:
        """Take a new state; the time of it moves only with the phase."""
        if (phase, reason) != (self.state.phase, self.state.reason):
            since = self.state.since if phase is self.state.phase else now
            self.state = msgspec.structs.replace(self.state, phase=phase, since=since, reason=reason)


def same(a: Image, b: Image) -> bool:
    """Whether two pictures are equal to the last bit. Cameras make noise: two of a living one never are.

    A sample is compared first, so that all of it is looked at only where it may well be equal.
    """
    if a.shape != b.shape:
        return False
    return bool((a[::SAMPLE_ROWS] == b[::SAMPLE_ROWS]).all() and np.array_equal(a, b))
