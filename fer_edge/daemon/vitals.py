"""How the daemon is, measured while it works, and told: in `health`, on the live page, to systemd."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fer_edge.capture.mailbox import Mailbox
from fer_edge.capture.shutter import Shutter
from fer_edge.config.runtime import LiveSettings
from fer_edge.daemon.facts import health_figures, recording_state, status_of
from fer_edge.daemon.health import HealthMeter
from fer_edge.daemon.host import MIB
from fer_edge.daemon.memory import MemoryBound
from fer_edge.daemon.status import Part, Pictures
from fer_edge.daemon.throttle import Governor
from fer_edge.events.lifecycle import Decision
from fer_edge.mqtt.link import Link
from fer_edge.mqtt.publisher import Reporter
from fer_edge.types import Frame
from fer_edge.vision.delegate import Kernels

if TYPE_CHECKING:
    from fer_edge.recording.recorder import Recorder
    from fer_edge.web.live_state import Stage

logger = logging.getLogger(__name__)


class Vitals:
    """Not thread-safe; the main thread owns it. ``requests`` gives what became of the requests since the start."""

    def __init__(  # noqa: PLR0913 - whose state it tells, by name
        self,
        *,
        live: LiveSettings,
        kernels: Kernels,
        mailbox: Mailbox,
        shutter: Shutter,
        link: Link,
        governor: Governor,
        reporter: Reporter,
        stage: "Stage | None",
        recorder: "Recorder | None",
        requests: Callable[[], dict[str, int]],
    ) -> None:
        self._live, self._kernels = live, kernels
        self._mailbox, self._shutter, self._link = mailbox, shutter, link
        self._governor = governor
        self._reporter, self._stage, self._recorder = reporter, stage, recorder
        self._requests = requests
        now = time.monotonic()
        self._memory = MemoryBound(live.settings.memory_max_mib * MIB)
        self._pictures, self._meter = Pictures(now), HealthMeter(now)
        self._due = now + live.settings.publish.health_s

    def admits(self, frame: Frame) -> bool:
        """Whether a frame is to be looked at; counts it where it is not, because the device is too hot."""
        if self._governor.admits(frame.captured_at):
            return True
        self._meter.skip()
        return False

    def looked(self, frame: Frame, decision: Decision) -> None:
        """Counts a frame that was looked at."""
        self._meter.frame(time.monotonic() - frame.captured_at, decision.in_frame)
        self._pictures.looked_at(len(decision.in_frame))

    def look(self, now: float) -> None:
        """Shows watchers how camera and broker are."""
        self._pictures.pass_time(now)
        if self._stage:
            camera, link = self._shutter.state(now), self._link.state(now)
            self._stage.states(camera.phase, camera.reason, link.text, connected=link.connected)

    def tell_when_due(self, now: float) -> None:
        """Publishes `health` where it is time."""
        if now >= self._due:
            self.tell(now)

    def tell(self, now: float) -> None:
        """Publishes `health`."""
        self._due = now + self._live.settings.publish.health_s
        health = self._meter.report(now, self._mailbox.dropped)
        camera, link = self._shutter.state(now), self._link.state(now)
        recording = recording_state(None if self._recorder is None else self._recorder.failure)
        figures = health_figures(health, self._kernels, camera, link, now, self._requests(), recording)
        self._reporter.health(figures)
        if self._stage:
            self._stage.health(figures)

    def reconfigure(self, health_s: float) -> None:
        """Another `publish.health_s`."""
        self._due = min(self._due, time.monotonic() + health_s)

    def parts(self, now: float, mistake: str) -> list[Part]:
        """What must be well for the daemon to do its work; ``mistake`` is that in config.yaml, if any."""
        troubles = {
            "heat": self._governor.text,
            "settings": mistake,
            "record": "" if self._recorder is None else self._recorder.failure,
        }
        return status_of(self._shutter.state(now), self._link.state(now), self._pictures, troubles)

    def too_large(self, now: float) -> bool:
        """Whether memory has passed its bound: then the daemon ends, and whoever watches over it starts a fresh one."""
        held = self._memory.passed(now)
        if held is None:
            return False
        limit = self._live.settings.memory_max_mib
        logger.error("holding %d MiB, memory_max_mib is %d: ending, to be started afresh", held // MIB, limit)
        return True
