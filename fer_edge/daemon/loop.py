"""What the main thread does while the daemon lives: frame after frame, whatever is due between them, the end."""

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

# While nobody is looked at, faces are said to be gone, for this reason.
UNSEEING = {
    CameraPhase.LOST: "camera",
    CameraPhase.SILENT: "camera",
    CameraPhase.FROZEN: "camera",
    CameraPhase.PAUSED: "paused",
}
# How long the main thread waits for a frame before it looks at the time, the camera and the signals.
TICK_S = 0.25
SETTLED_S = 5.0  # after the start: all that runs once has run
# A stop is over within five seconds (the unit grants ten): all farewells together, and of it the broker's last answer.
STOP_S = 4.0
LINK_STOP_S = 3.0


class CameraMonitor:
    """Not thread-safe; the main thread owns it."""

    def __init__(self, capture: Camera, reporter: MqttPublisher, pipeline: Pipeline) -> None:
        self._capture, self._reporter, self._pipeline = capture, reporter, pipeline
        self.phase = CameraPhase.OPENING
        """The camera's, as it was last told."""

    def look(self, may: bool) -> None:  # noqa: FBT001 - the one thing there is to say
        """Opens the camera or closes it, and says so at once."""
        now = time.monotonic()
        if may:
            self._capture.resume()
        else:
            self._capture.pause(now)
        self.watch(now)

    def watch(self, now: float) -> None:
        """Takes note of a camera that went away or came back."""
        phase = self._capture.state(now).phase
        if phase is self.phase:
            return
        self.phase = phase
        self._reporter.camera(phase)
        if phase in UNSEEING:
            self._pipeline.close(now, UNSEEING[phase])


class MainLoop:
    """Runs once. ``preview`` and ``recorder`` are there where they are asked for."""

    def __init__(  # noqa: PLR0913 - what it goes round, by name
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
        """Until SIGTERM, Ctrl-C, the end of a video or of the memory that is granted; gives the exit code.

        Raises:
            UserError: the camera's source can never be read, whatever the wait.
        """
        with ExitStack() as ending:
            self._start(ending)
            while not self._signals.stop.is_set() and self._tick():
                pass
        return self._exit_code

    def _start(self, ending: ExitStack) -> None:
        """Start all parts, and register their end in ``ending``, which runs each step whatever became of the others.

        Last in, first out: camera, last events, recorded scores, `offline` acknowledged, link.
        """
        ending.callback(self._systemd.close)
        ending.callback(lambda: self._delivery.stop(min(LINK_STOP_S, self._stop_by - time.monotonic())))
        if self._recorder:
            ending.callback(self._recorder.check)  # its last write may fail as well
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
        """From now on everything has STOP_S in all."""
        self._stop_by = time.monotonic() + STOP_S
        self._systemd.stopping()

    def _tick(self) -> bool:
        """One frame, or the passing of time without one; False when there is nothing more to do."""
        frame = self._latest_frame.take(TICK_S)
        self._capture.check()
        now = time.monotonic()
        self._delivery.check(now)
        if self._recorder:
            self._recorder.check()
        if self._preview:
            self._preview.check(now)
        self._watch.watch(now)
        if frame is not None:
            if self._health.admits(frame):
                self._health.on_frame(frame, self._pipeline.step(frame))
        elif self._watch.phase is CameraPhase.ENDED and self._systemd.ready:
            return False
        else:
            self._pipeline.idle(now)
        self._health.look(now)
        self._serve(now)
        self._health.publish_if_due(now)
        # Asked no more once READY was said: the link's state counts what waits, which is work for each frame.
        tried = self._systemd.ready or (self._watch.phase is not CameraPhase.OPENING and self._link.state(now).tried)
        deadline = {"camera": self._capture.deadline, "link": self._link.deadline}
        mistake = self._commands.mistake
        self._systemd.look(now, tried=tried, parts=lambda: self._health.parts(now, mistake), deadline=deadline)
        if self._health.too_large(now):
            self._exit_code = EXIT_FAILED
            return False
        return True

    def _serve(self, now: float) -> None:
        """What signals, requests and the page ask for, and what waits for its time."""
        if self._signals.reload.is_set() and self._systemd.ready:
            self._signals.reload.clear()
            self._systemd.reloading()
            self._commands.reload()
            self._systemd.reloaded()
        self._commands.serve(now)
        self._keeper.serve()
        if now >= self._settles_at:
            self._settles_at = float("inf")
            release_unused()
