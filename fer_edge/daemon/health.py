"""Health: rates, latency and outcomes of faces between two `health` messages, and the status of all parts."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fer_edge import __version__
from fer_edge.capture.camera import Camera, LatestFrame
from fer_edge.capture.supervisor import CameraPhase, CameraState
from fer_edge.config.model import PrivacySettings, Settings
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.daemon.host import MIB, ProcessUse, is_throttled, soc_temperature_c
from fer_edge.daemon.memory import MemoryLimit
from fer_edge.daemon.status import FrameStatus, StatusPart
from fer_edge.daemon.throttle import ThermalThrottle
from fer_edge.events.lifecycle import Decision
from fer_edge.homeassistant.discovery import Discovery
from fer_edge.mqtt.link import Link, LinkState
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.mqtt.requests import RequestQueue
from fer_edge.mqtt.topics import Topics
from fer_edge.types import FaceState, Frame, Outcome
from fer_edge.vision.analyzer import FaceAnalyzer
from fer_edge.vision.delegate import DelegateInfo

if TYPE_CHECKING:
    from fer_edge.recording.recorder import Recorder
    from fer_edge.web.live_state import LiveState

logger = logging.getLogger(__name__)

WELL = (CameraPhase.RUNNING, CameraPhase.ENDED, CameraPhase.PAUSED)  # without a fault


class Health(msgspec.Struct, frozen=True):
    """Metrics of one window, from one health message to the next."""

    window_s: float
    uptime_s: float
    frame_rate_hz: float  # processed frames per second
    frames: int
    dropped: int  # frames that a newer one replaced before they were processed
    skipped: int  # frames not processed because the device was too hot
    latency_ms: dict[str, float] | None  # p50, p95, p99 from capture to outbox; None without a frame
    faces: dict[str, int]  # faces of all frames by outcome; sums to faces_seen
    faces_seen: int
    rss_mib: float
    cpu_percent: float  # of one core
    soc_temperature_c: float | None  # None where the device has no sensor
    throttled: bool | None  # None on other devices than a Raspberry Pi


class HealthMeter:
    """Counters of one window, reset by `report`. Not thread-safe; the main thread owns it."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._process = ProcessUse(now)
        self._dropped_before = 0
        self._begin(now)

    def frame(self, latency_s: float, verdicts: Iterable[FaceState]) -> None:
        """Count a processed frame and the outcome of each face in it."""
        self._latencies_s.append(latency_s)
        self._outcomes.update(verdict.outcome for verdict in verdicts)

    def skip(self) -> None:
        """Count a skipped frame."""
        self._skipped += 1

    def report(self, now: float, dropped: int) -> Health:
        """Return the metrics since the last report; ``dropped`` is the count of replaced frames since the start."""
        window_s = max(now - self._window_began, 1e-9)
        use = self._process.since_last(now)
        health = Health(
            window_s=round(window_s, 3),
            uptime_s=round(now - self._started, 3),
            frame_rate_hz=round(len(self._latencies_s) / window_s, 2),
            frames=len(self._latencies_s),
            dropped=dropped - self._dropped_before,
            skipped=self._skipped,
            latency_ms=_percentiles_ms(self._latencies_s),
            faces={outcome.value: self._outcomes[outcome] for outcome in Outcome},
            faces_seen=self._outcomes.total(),
            rss_mib=round(use.rss_bytes / MIB, 1),
            cpu_percent=round(use.cpu_percent, 1),
            soc_temperature_c=soc_temperature_c(),
            throttled=is_throttled(),
        )
        self._dropped_before = dropped
        self._begin(now)
        return health

    def _begin(self, now: float) -> None:
        self._window_began = now
        self._skipped = 0
        self._latencies_s: list[float] = []
        self._outcomes: Counter[Outcome] = Counter()


def _percentiles_ms(latencies_s: list[float]) -> dict[str, float] | None:
    if not latencies_s:
        return None
    p50, p95, p99 = np.percentile(np.asarray(latencies_s) * 1000.0, (50, 95, 99))
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}


def info_facts(vision: FaceAnalyzer, kernels: DelegateInfo, privacy: PrivacySettings) -> dict[str, Any]:
    """Return the payload of `info`: program, network, runtime, detector, privacy."""
    card, runner = vision.classifier.card, vision.classifier.interpreter
    return {
        "version": __version__,
        "model": {"name": card.name, "sha256": card.sha256, "labels": card.emotions, "scores": card.scores},
        "runtime": runner.runtime,
        "xnnpack": kernels.xnnpack,
        "detector": vision.detector.name,
        "privacy": {"mode": privacy.mode, "zones": len(privacy.zones)},
    }


def discovery_of(settings: Settings, topics: Topics, vision: FaceAnalyzer) -> Discovery:
    """Return the device's Home Assistant discovery."""
    return Discovery(
        topics,
        settings.home_assistant.prefix,
        __version__,
        vision.classifier.card.name,
        tuple(CameraPhase),
        (CameraPhase.RUNNING,),
        aggregate=settings.privacy.mode == "aggregate",
    )


def health_figures(  # noqa: PLR0913, PLR0917 - each part of a running daemon
    health: Health,
    kernels: DelegateInfo,
    camera: CameraState,
    link: LinkState,
    now: float,
    requests: dict[str, int],
    recording: dict[str, str],
) -> dict[str, Any]:
    """Return the payload of `health`: metrics, delegate, camera, link, outbox, requests, recording."""
    return {
        **msgspec.to_builtins(health),
        "kernels": msgspec.to_builtins(kernels),
        "camera": {
            "state": camera.phase,
            "reason": camera.reason,
            "for_s": round(max(0.0, now - camera.since), 1),
            "reopened": camera.reopened,
        },
        "link": {
            "state": link.text,
            "protocol": link.protocol,
            "connects": link.connects,
        },
        "outbox": msgspec.to_builtins(link.outbox),
        "requests": requests,
        "record": recording,
    }


def recording_state(failure: str | None) -> dict[str, str]:
    """Return the state of recording; ``failure`` is why scores are being lost, None where recording is off."""
    if failure is None:
        return {"state": "off", "reason": ""}
    return {"state": "failing" if failure else "running", "reason": failure}


def status_of(camera: CameraState, link: LinkState, frames: FrameStatus, faults: Mapping[str, str]) -> list[StatusPart]:
    """Return the parts of the status line; ``faults`` are further parts, each with its fault or an empty text."""
    parts = [
        StatusPart("camera", camera.phase in WELL, _joined(camera.phase, camera.reason)),
        StatusPart("broker", link.connected, link.text),
        StatusPart("frames", frames.any or camera.phase is CameraPhase.PAUSED, _frames_text(frames)),
    ]
    return parts + [StatusPart(name, ok=False, text=fault) for name, fault in faults.items() if fault]


def _frames_text(frames: FrameStatus) -> str:
    if not frames.any:
        return "none yet"
    rate = "" if frames.rate_hz is None else f"{frames.rate_hz:.1f} fps, "
    return f"{rate}{frames.faces} face{'' if frames.faces == 1 else 's'} in view"


def _joined(phase: CameraPhase, reason: str) -> str:
    return f"{phase}: {reason}" if reason else str(phase)


class HealthReporter:
    """Publisher of `health` and of the status parts. Not thread-safe; the main thread owns it."""

    def __init__(  # noqa: PLR0913 - the parts that it reports
        self,
        *,
        live: RuntimeConfig,
        kernels: DelegateInfo,
        latest_frame: LatestFrame,
        capture: Camera,
        link: Link,
        throttle: ThermalThrottle,
        publisher: MqttPublisher,
        stage: "LiveState | None",
        recorder: "Recorder | None",
        inbox: RequestQueue,
    ) -> None:
        self._live, self._kernels = live, kernels
        self._latest_frame, self._capture, self._link = latest_frame, capture, link
        self._throttle = throttle
        self._publisher, self._stage, self._recorder = publisher, stage, recorder
        self._inbox = inbox
        self._done = self._refused = 0  # requests since the start
        now = time.monotonic()
        self._memory = MemoryLimit(live.settings.memory_max_mib * MIB)
        self._frames, self._meter = FrameStatus(now), HealthMeter(now)
        self._due = now + live.settings.publish.health_s

    def admits(self, frame: Frame) -> bool:
        """Return whether to process a frame; one that is skipped for heat is counted."""
        if self._throttle.admits(frame.captured_at):
            return True
        self._meter.skip()
        return False

    def on_frame(self, frame: Frame, decision: Decision) -> None:
        """Count a processed frame."""
        self._meter.frame(time.monotonic() - frame.captured_at, decision.in_frame)
        self._frames.count(len(decision.in_frame))

    def on_request(self, *, accepted: bool) -> None:
        """Count a request."""
        self._done += accepted
        self._refused += not accepted

    def update(self, now: float) -> None:
        """Update the frame rate and the live page's camera and broker state."""
        self._frames.update(now)
        if self._stage:
            camera, link = self._capture.state(now), self._link.state(now)
            self._stage.states(camera.phase, camera.reason, link.text, connected=link.connected)

    def publish_if_due(self, now: float) -> None:
        """Publish `health` where it is due."""
        if now >= self._due:
            self.publish(now)

    def publish(self, now: float) -> None:
        """Publish `health`."""
        self._due = now + self._live.settings.publish.health_s
        health = self._meter.report(now, self._latest_frame.dropped)
        camera, link = self._capture.state(now), self._link.state(now)
        recording = recording_state(None if self._recorder is None else self._recorder.failure)
        requests = {"done": self._done, "refused": self._refused, "dropped": self._inbox.dropped}
        figures = health_figures(health, self._kernels, camera, link, now, requests, recording)
        self._publisher.health(figures)
        if self._stage:
            self._stage.health(figures)

    def reconfigure(self, health_s: float) -> None:
        """Apply a new `publish.health_s`."""
        self._due = min(self._due, time.monotonic() + health_s)

    def parts(self, now: float, mistake: str) -> list[StatusPart]:
        """Return the parts of the status line; ``mistake`` is the one in config.yaml, or empty."""
        faults = {
            "heat": self._throttle.text,
            "settings": mistake,
            "record": "" if self._recorder is None else self._recorder.failure,
        }
        return status_of(self._capture.state(now), self._link.state(now), self._frames, faults)

    def exceeds_memory(self, now: float) -> bool:
        """Return whether memory is above its limit: then the daemon stops, for systemd to restart it."""
        resident = self._memory.exceeded(now)
        if resident is None:
            return False
        limit = self._live.settings.memory_max_mib
        logger.error("memory %d MiB is above memory_max_mib (%d): stopping for a restart", resident // MIB, limit)
        return True
