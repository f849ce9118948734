"""Main loop: frames, periodic work, orderly shutdown."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fer_edge.capture.camera import Camera, LatestFrame
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.daemon.commands import CommandHandler, CommandQueue
from fer_edge.daemon.controls import CameraMonitor
from fer_edge.daemon.health import HealthReporter
from fer_edge.daemon.memory import release_unused
from fer_edge.daemon.signals import Signals
from fer_edge.daemon.systemd import Systemd
from fer_edge.errors import EXIT_FAILED
from fer_edge.events.summary import SummaryScheduler
from fer_edge.mqtt.delivery import Delivery
from fer_edge.pipeline import Pipeline

if TYPE_CHECKING:
    from fer_edge.recording.recorder import Recorder
    from fer_edge.web.server import Preview

# Longest wait for a frame before the periodic work.
TICK_S = 0.25
SETTLED_S = 5.0  # after the start: one-time work is done
# A stop takes at most 5 s (the unit allows 10 s): all steps together, and of that the broker's last acknowledgement.
STOP_S = 4.0
LINK_STOP_S = 3.0


@dataclass(kw_only=True)
class Daemon:
    """The running daemon: main loop and shutdown over its parts. Runs once, in the main thread, which owns all parts.

    ``preview`` and ``recorder`` are None where the settings disable them.
    """

    signals: Signals
    systemd: Systemd
    latest_frame: LatestFrame
    capture: Camera
    monitor: CameraMonitor
    pipeline: Pipeline
    windows: SummaryScheduler
    delivery: Delivery
    commands: CommandHandler
    saves: CommandQueue
    health: HealthReporter
    preview: "Preview | None"
    recorder: "Recorder | None"
    _settles_at: float = field(default_factory=lambda: time.monotonic() + SETTLED_S, init=False)
    _exit_code: int = field(default=0, init=False)
    _stop_by: float = field(default=float("inf"), init=False)

    def run(self) -> int:
        """Run until SIGTERM, Ctrl-C, the end of a video or the memory limit; return the exit code.

        Raises:
            UserError: the camera's source cannot be read, and a retry cannot help.
        """
        with self.signals.handled(), ExitStack() as ending:
            self._start(ending)
            while not self.signals.stop.is_set() and self._tick():
                pass
        return self._exit_code

    def _start(self, ending: ExitStack) -> None:
        """Start all parts, and register their stop in ``ending``, which runs each step even if another fails.

        Last in, first out: camera, last events, recorded scores, `offline` acknowledged, link.
        """
        ending.callback(self.systemd.close)
        ending.callback(lambda: self.delivery.stop(min(LINK_STOP_S, self._stop_by - time.monotonic())))
        if self.recorder:
            ending.callback(self.recorder.check)  # its last write may fail
            stop = self.recorder.stop
            ending.callback(lambda: stop(max(0.0, self._stop_by - time.monotonic() - LINK_STOP_S)))
        ending.callback(lambda: self.windows.end(time.monotonic()))
        ending.callback(lambda: self.pipeline.close(time.monotonic(), "stopped"))
        ending.callback(self.capture.stop)
        self.delivery.start()
        self.capture.start()
        if self.preview:
            self.preview.start()
            ending.callback(self.preview.stop)
        ending.callback(self._begin_stop)

    def _begin_stop(self) -> None:
        """Set the deadline of the stop, STOP_S from now."""
        self._stop_by = time.monotonic() + STOP_S
        self.systemd.stopping()

    def _tick(self) -> bool:
        """Process a frame or an interval without one; return False to end the loop."""
        frame = self.latest_frame.take(TICK_S)
        self.capture.check()
        now = time.monotonic()
        self.delivery.check(now)
        if self.recorder:
            self.recorder.check()
        if self.preview:
            self.preview.check(now)
        self.monitor.update(now)
        if frame is not None:
            if self.health.admits(frame):
                self.health.on_frame(frame, self.pipeline.step(frame))
        elif self.monitor.phase is CameraPhase.ENDED and self.systemd.ready:
            return False
        else:
            self.pipeline.idle(now)
        self.health.update(now)
        self._serve(now)
        self.health.publish_if_due(now)
        # Not computed after READY: the link's state counts the queues, too costly for each frame.
        tried = self.systemd.ready or (
            self.monitor.phase is not CameraPhase.OPENING and self.delivery.link.state(now).tried
        )
        deadlines = {"camera": self.capture.deadline, "link": self.delivery.link.deadline}
        mistake = self.commands.mistake
        self.systemd.update(now, tried=tried, parts=lambda: self.health.parts(now, mistake), deadlines=deadlines)
        if self.health.exceeds_memory(now):
            self._exit_code = EXIT_FAILED
            return False
        return True

    def _serve(self, now: float) -> None:
        """Serve signals, requests and page saves; release memory once after the start."""
        if self.signals.reload.is_set() and self.systemd.ready:
            self.signals.reload.clear()
            self.systemd.reloading()
            self.commands.reload()
            self.systemd.reloaded()
        self.commands.serve(now)
        self.saves.serve(self.commands.adopt)
        if now >= self._settles_at:
            self._settles_at = float("inf")
            release_unused()
