"""Main loop: frames, periodic work, orderly shutdown."""

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from fer_edge.capture.camera import Camera, LatestFrame
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.daemon.commands import CommandHandler, CommandQueue
from fer_edge.daemon.health import HealthReporter
from fer_edge.daemon.memory import release_unused
from fer_edge.daemon.signals import Signals
from fer_edge.daemon.systemd import Systemd
from fer_edge.errors import EXIT_FAILED
from fer_edge.events.summary import SummaryScheduler
from fer_edge.mqtt.delivery import Delivery
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.pipeline import Pipeline

if TYPE_CHECKING:
    from fer_edge.recording.recorder import Recorder
    from fer_edge.web.server import Preview

# Camera phases without frames, and the reason with which faces are closed.
WITHOUT_FRAMES = {
    CameraPhase.LOST: "camera",
    CameraPhase.SILENT: "camera",
    CameraPhase.FROZEN: "camera",
    CameraPhase.PAUSED: "paused",
}
# Longest wait for a frame before the periodic work.
TICK_S = 0.25
SETTLED_S = 5.0  # after the start: one-time work is done
# A stop takes at most 5 s (the unit allows 10 s): all steps together, and of that the broker's last acknowledgement.
STOP_S = 4.0
LINK_STOP_S = 3.0


class CameraMonitor:
    """Reaction to camera phases: publish them, close faces. Not thread-safe; the main thread owns it."""

    def __init__(self, capture: Camera, reporter: MqttPublisher, pipeline: Pipeline) -> None:
        self._capture, self._reporter, self._pipeline = capture, reporter, pipeline
        self.phase = CameraPhase.OPENING
        """The camera's phase, as last published."""

    def set_capturing(self, *, enabled: bool) -> None:
        """Open or close the camera, and publish its phase at once."""
        now = time.monotonic()
        if enabled:
            self._capture.resume()
        else:
            self._capture.pause(now)
        self.update(now)

    def update(self, now: float) -> None:
        """Publish a new camera phase; close all faces where it gives no frames."""
        phase = self._capture.state(now).phase
        if phase is self.phase:
            return
        self.phase = phase
        self._reporter.camera(phase)
        if phase in WITHOUT_FRAMES:
            self._pipeline.close(now, WITHOUT_FRAMES[phase])


class MainLoop:
    """The daemon's loop; runs once. ``preview`` and ``recorder`` are None where the settings disable them."""

    def __init__(  # noqa: PLR0913 - the parts that it runs
        self,
        *,
        signals: Signals,
        systemd: Systemd,
        latest_frame: LatestFrame,
        capture: Camera,
        watch: CameraMonitor,
        pipeline: Pipeline,
        windows: SummaryScheduler,
        delivery: Delivery,
        commands: CommandHandler,
        keeper: CommandQueue,
        health: HealthReporter,
        preview: "Preview | None",
        recorder: "Recorder | None",
    ) -> None:
        self._signals, self._systemd = signals, systemd
        self._latest_frame, self._capture, self._watch = latest_frame, capture, watch
        self._pipeline, self._windows = pipeline, windows
        self._delivery, self._link = delivery, delivery.link
        self._commands, self._keeper, self._health = commands, keeper, health
        self._preview, self._recorder = preview, recorder
        self._settles_at = time.monotonic() + SETTLED_S
        self._exit_code = 0
        self._stop_by = float("inf")

    def run(self) -> int:
        """Run until SIGTERM, Ctrl-C, the end of a video or the memory limit; return the exit code.

        Raises:
            UserError: the camera's source cannot be read, and a retry cannot help.
        """
        with ExitStack() as ending:
            self._start(ending)
            while not self._signals.stop.is_set() and self._tick():
                pass
        return self._exit_code

    def _start(self, ending: ExitStack) -> None:
        """Start all parts, and register their stop in ``ending``, which runs each step even if another fails.

        Last in, first out: camera, last events, recorded scores, `offline` acknowledged, link.
        """
        ending.callback(self._systemd.close)
        ending.callback(lambda: self._delivery.stop(min(LINK_STOP_S, self._stop_by - time.monotonic())))
        if self._recorder:
            ending.callback(self._recorder.check)  # its last write may fail
            stop = self._recorder.stop
            ending.callback(lambda: stop(max(0.0, self._stop_by - time.monotonic() - LINK_STOP_S)))
        ending.callback(lambda: self._windows.end(time.monotonic()))
        ending.callback(lambda: self._pipeline.close(time.monotonic(), "stopped"))
        ending.callback(self._capture.stop)
        self._delivery.start()
        self._capture.start()
        if self._preview:
            self._preview.start()
            ending.callback(self._preview.stop)
        ending.callback(self._begin_stop)

    def _begin_stop(self) -> None:
        """Set the deadline of the stop, STOP_S from now."""
        self._stop_by = time.monotonic() + STOP_S
        self._systemd.stopping()

    def _tick(self) -> bool:
        """Process a frame or an interval without one; return False to end the loop."""
        frame = self._latest_frame.take(TICK_S)
        self._capture.check()
        now = time.monotonic()
        self._delivery.check(now)
        if self._recorder:
            self._recorder.check()
        if self._preview:
            self._preview.check(now)
        self._watch.update(now)
        if frame is not None:
            if self._health.admits(frame):
                self._health.on_frame(frame, self._pipeline.step(frame))
        elif self._watch.phase is CameraPhase.ENDED and self._systemd.ready:
            return False
        else:
            self._pipeline.idle(now)
        self._health.update(now)
        self._serve(now)
        self._health.publish_if_due(now)
        # Not computed after READY: the link's state counts the queues, too costly for each frame.
        tried = self._systemd.ready or (self._watch.phase is not CameraPhase.OPENING and self._link.state(now).tried)
        deadlines = {"camera": self._capture.deadline, "link": self._link.deadline}
        mistake = self._commands.mistake
        self._systemd.update(now, tried=tried, parts=lambda: self._health.parts(now, mistake), deadlines=deadlines)
        if self._health.exceeds_memory(now):
            self._exit_code = EXIT_FAILED
            return False
        return True

    def _serve(self, now: float) -> None:
        """Serve signals, requests and page saves; release memory once after the start."""
        if self._signals.reload.is_set() and self._systemd.ready:
            self._signals.reload.clear()
            self._systemd.reloading()
            self._commands.reload()
            self._systemd.reloaded()
        self._commands.serve(now)
        self._keeper.serve(self._commands.adopt)
        if now >= self._settles_at:
            self._settles_at = float("inf")
            release_unused()
