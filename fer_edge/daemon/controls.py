"""Changes to the running daemon: camera on and off, new settings, a new announcement to Home Assistant."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_edge.capture.camera import Camera
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.daemon.health import HealthReporter
from fer_edge.daemon.logs import set_level
from fer_edge.events.lifecycle import EventDetector
from fer_edge.events.summary import SummaryScheduler
from fer_edge.homeassistant.discovery import Discovery
from fer_edge.mqtt.link import Link
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.pipeline import Pipeline
from fer_edge.vision.analyzer import FaceAnalyzer

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


class CameraMonitor:
    """Reaction to camera phases: publish them, close faces. Not thread-safe; the main thread owns it."""

    def __init__(self, capture: Camera, publisher: MqttPublisher, pipeline: Pipeline) -> None:
        self._capture, self._publisher, self._pipeline = capture, publisher, pipeline
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
        self._publisher.camera(phase)
        if phase in WITHOUT_FRAMES:
            self._pipeline.close(now, WITHOUT_FRAMES[phase])


@dataclass(frozen=True, kw_only=True)
class Controls:
    """All parts that a command changes. Not thread-safe; the main thread owns it.

    ``preview``, ``recorder`` and ``discovery`` are None where the settings disable them.
    """

    live: RuntimeConfig
    monitor: CameraMonitor
    health: HealthReporter
    vision: FaceAnalyzer
    decider: EventDetector
    publisher: MqttPublisher
    windows: SummaryScheduler
    preview: "Preview | None"
    recorder: "Recorder | None"
    link: Link
    discovery: Discovery | None

    def set_capturing(self, *, enabled: bool) -> None:
        """Open or close the camera; publish its phase and `health` at once."""
        self.monitor.set_capturing(enabled=enabled)
        self.health.publish(time.monotonic())

    def apply(self) -> None:
        """Apply changed settings, from the next frame on."""
        settings = self.live.settings
        set_level(settings.log_level)
        self.vision.reconfigure(settings.gates)
        self.decider.reconfigure(settings.decide, settings.track.lost_s)
        if self.preview:
            self.preview.stage.reconfigure(settings.decide, settings.track.lost_s)
        self.show_overrides()
        if self.recorder:
            self.recorder.reconfigure(settings.decide, settings.track.lost_s)
        self.publisher.reconfigure(settings.publish)
        self.windows.length_s = settings.publish.summary_s
        self.health.reconfigure(settings.publish.health_s)

    def show_overrides(self) -> None:
        """Show on the live page which settings are overridden, and where they are stored."""
        if self.preview:
            zones = self.live.next.privacy.zones
            self.preview.stage.set_overrides(self.live.overrides, zones, self.live.place)

    def reannounce(self) -> None:
        """Publish discovery and all retained messages again, for a Home Assistant that has just started."""
        if self.discovery is not None:
            topics = self.discovery.topics
            self.link.repeat((self.discovery.topic, topics.info, topics.settings, topics.state))
            self.health.publish(time.monotonic())
