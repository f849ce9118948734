"""The camera's comings and goings, told: while nobody looks, nobody is there to be seen."""

import time

from fer_edge.capture.shutter import Shutter
from fer_edge.capture.supervisor import Phase
from fer_edge.mqtt.publisher import Reporter
from fer_edge.pipeline import Pipeline

# While nobody is looked at, faces are said to be gone, for this reason.
UNSEEING = {Phase.LOST: "camera", Phase.SILENT: "camera", Phase.FROZEN: "camera", Phase.PAUSED: "paused"}


class CameraWatch:
    """Not thread-safe; the main thread owns it."""

    def __init__(self, shutter: Shutter, reporter: Reporter, pipeline: Pipeline) -> None:
        self._shutter, self._reporter, self._pipeline = shutter, reporter, pipeline
        self.phase = Phase.OPENING
        """The camera's, as it was last told."""

    def look(self, may: bool) -> None:  # noqa: FBT001 - the one thing there is to say
        """Opens the camera or closes it, and says so at once."""
        now = time.monotonic()
        if may:
            self._shutter.resume()
        else:
            self._shutter.pause(now)
        self.watch(now)

    def watch(self, now: float) -> None:
        """Takes note of a camera that went away or came back."""
        phase = self._shutter.state(now).phase
        if phase is self.phase:
            return
        self.phase = phase
        self._reporter.camera(phase)
        if phase in UNSEEING:
            self._pipeline.close(now, UNSEEING[phase])
