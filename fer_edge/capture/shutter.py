"""The camera and whether it may look: a pause closes it, so that its light goes out and others may use it."""

import math
from collections.abc import Callable

from msgspec.structs import replace

from fer_edge.capture.camera import Camera
from fer_edge.capture.mailbox import Mailbox
from fer_edge.capture.supervisor import CameraState, Phase

STILL_READING = "a read hangs in the driver: the camera is closed as soon as it returns, and nothing it gives is used"


class Shutter:
    """Makes a camera when it may look, ends it when it may not. Not thread-safe; the main thread owns it.

    ``make`` gives a camera that fills ``mailbox`` and is not started yet.
    """

    def __init__(self, make: Callable[[], Camera], mailbox: Mailbox, *, paused: bool, now: float) -> None:
        self._make = make
        self._mailbox = mailbox
        self._camera = make()
        self._paused_since = now if paused else None
        self._closed = True  # whether the camera that was paused is really closed
        self._reopened = 0  # times that cameras before this one were opened after their first

    @property
    def paused(self) -> bool:
        """Whether the camera is not to look."""
        return self._paused_since is not None

    def start(self) -> None:
        """Begins to look, unless it was made paused."""
        if not self.paused:
            self._camera.start()

    def pause(self, now: float) -> None:
        """Closes the camera and forgets the picture that nobody has looked at yet; a second call does nothing."""
        if self.paused:
            return
        self._reopened = self.state(now).reopened
        self._closed = self._camera.stop()
        self._mailbox.clear()
        self._paused_since = now

    def resume(self) -> None:
        """Opens the camera again; a second call does nothing."""
        if not self.paused:
            return
        self._paused_since = None
        self._camera = self._make()
        self._camera.start()

    def state(self, now: float) -> CameraState:
        """How the camera is doing at ``now``, monotonic seconds."""
        if self._paused_since is not None:
            self._closed = self._closed or self._camera.ended()
            return CameraState(Phase.PAUSED, self._paused_since, "" if self._closed else STILL_READING, self._reopened)
        state = self._camera.state(now)
        return replace(state, reopened=self._reopened + state.reopened)

    @property
    def due_by(self) -> float:
        """Until when, monotonic seconds, the capture thread has shown progress or hangs; infinite while paused."""
        return math.inf if self.paused else self._camera.due_by

    def check(self) -> None:
        """Raises what ended the capture thread, if anything did: UnusableSource, or a bug."""
        self._camera.check()

    def stop(self) -> None:
        """Ends it for good."""
        self._camera.stop()
