"""Composition root of the daemon: the only place that joins settings, threads, clocks and signals.

capture thread -> latest frame -> main thread: vision, events, messages -> outbox -> link thread, disk thread
"""

import logging
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fer_edge.capture.camera import Camera, LatestFrame
from fer_edge.capture.network import check_login
from fer_edge.capture.sources import Source, open_source
from fer_edge.config.loader import Document
from fer_edge.config.model import LEAST_AGGREGATE_S, CameraSettings, Settings
from fer_edge.config.overrides import OverridesFile
from fer_edge.config.rules import without_effect
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.daemon.commands import CommandHandler, CommandQueue
from fer_edge.daemon.health import HealthReporter, discovery_of, info_facts
from fer_edge.daemon.host import is_synchronised
from fer_edge.daemon.logs import set_level, set_up_logging
from fer_edge.daemon.loop import CameraMonitor, MainLoop
from fer_edge.daemon.signals import Signals
from fer_edge.daemon.systemd import Notifier, Systemd
from fer_edge.daemon.throttle import ThermalThrottle
from fer_edge.events.lifecycle import EventDetector
from fer_edge.events.summary import SummaryScheduler
from fer_edge.homeassistant.discovery import BirthWatch
from fer_edge.masks import PrivacyMask
from fer_edge.mqtt.delivery import Delivery, Folders, forget_events
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.mqtt.requests import RequestQueue, Subscription
from fer_edge.mqtt.topics import Topics, client_id
from fer_edge.pipeline import Pipeline, PipelineObserver
from fer_edge.vision.analyzer import build_analyzer
from fer_edge.vision.delegate import inspect_delegate

if TYPE_CHECKING:
    from fer_edge.recording.recorder import Recorder
    from fer_edge.web.server import Preview

logger = logging.getLogger(__name__)


class App:
    """The daemon, built from settings; the main thread owns all parts.

    ``document`` is the origin of the settings, ``settings_path`` the file that a reload reads. ``state`` and
    ``runtime`` are the folders on disk and on tmpfs that survive the process; None disables persistence. ``preview``
    serves the live page even if `preview.enabled` is false.

    Raises:
        UserError: a model, password file or certificate is missing or wrong.
    """

    def __init__(  # noqa: PLR0913 - settings, their origin, and folders
        self,
        settings: Settings,
        settings_path: Path | None = None,
        opener: Callable[[CameraSettings], Source] = open_source,
        *,
        document: Document | None = None,
        state: Path | None = None,
        runtime: Path | None = None,
        preview: bool = False,
    ) -> None:
        set_up_logging(settings.log_level)
        now = time.monotonic()
        given = Document(settings, msgspec.to_builtins(settings)) if document is None else document
        topics = Topics(settings.mqtt.prefix, settings.device or socket.gethostname())
        kept = None if state is None else OverridesFile(state / f"{client_id(topics.prefix, topics.device)}.json")
        self._live = RuntimeConfig(given, settings_path, kept)
        settings = self._live.settings
        for key, sentence in without_effect(settings):
            logger.warning("%s: %s", key, sentence)
        self._signals = Signals()
        systemd = Systemd(Notifier(), time.monotonic())
        self._vision = build_analyzer(settings)
        self._kernels = inspect_delegate(self._vision.classifier.interpreter)
        clocks = Clocks(time.time, time.monotonic, is_synchronised)
        model = self._vision.classifier.card.sha256
        folders, aggregate = Folders(state, runtime), settings.privacy.mode == "aggregate"
        if aggregate:
            forget_events(folders, topics)
            folders = Folders()
        inbox = RequestQueue()
        birth = BirthWatch(settings.home_assistant, random.random)
        self._discovery = discovery_of(settings, topics, self._vision) if settings.home_assistant.discovery else None
        subscribed = (topics.requests, birth.topic) if self._discovery else (topics.requests,)
        self._delivery = Delivery(
            settings.mqtt,
            topics,
            model,
            clocks,
            random.random,
            folders=folders,
            first=(topics.info, topics.settings, topics.state),
            subscription=Subscription(subscribed, inbox.put),
        )
        self._link = self._delivery.link
        self._reporter = MqttPublisher(self._delivery.messages, self._delivery, settings.publish, aggregate=aggregate)
        least_s = LEAST_AGGREGATE_S if aggregate else 0.0
        self._windows = SummaryScheduler(self._reporter.summary, settings.publish.summary_s, now, least_s)
        self._decider = EventDetector(settings.decide, settings.track.lost_s)
        keeper = CommandQueue()
        self._preview = self._open_preview(topics.device, keeper) if preview or settings.preview.enabled else None
        self._recorder = self._open_recorder(state, now) if settings.record.enabled else None
        parts = (self._windows, self._preview.stage if self._preview else None, self._recorder)
        observers: list[PipelineObserver] = [part for part in parts if part is not None]
        pipeline = Pipeline(self._vision.analyze, self._decider, self._reporter, observers, self._vision.reset)
        latest_frame = LatestFrame()
        if settings.camera.username:
            check_login(settings.camera)
        self._capture = Camera(
            settings.camera,
            latest_frame,
            mask=PrivacyMask(settings.privacy.zones).apply,
            opener=opener,
            paused=self._live.paused,
            now=now,
        )
        self._watch = CameraMonitor(self._capture, self._reporter, pipeline)
        self._commands = CommandHandler(
            inbox=inbox,
            topics=topics,
            reporter=self._reporter,
            live=self._live,
            set_capturing=self._set_capturing,
            apply=self._apply,
            birth=birth,
            reannounce=self._reannounce,
        )
        self._health = HealthReporter(
            live=self._live,
            kernels=self._kernels,
            latest_frame=latest_frame,
            capture=self._capture,
            link=self._link,
            throttle=ThermalThrottle(settings.governor.hot_c),
            reporter=self._reporter,
            stage=self._preview.stage if self._preview else None,
            recorder=self._recorder,
            requests=self._commands.counts,
        )
        self._loop = MainLoop(
            signals=self._signals,
            systemd=systemd,
            latest_frame=latest_frame,
            capture=self._capture,
            watch=self._watch,
            pipeline=pipeline,
            windows=self._windows,
            delivery=self._delivery,
            commands=self._commands,
            keeper=keeper,
            health=self._health,
            preview=self._preview,
            recorder=self._recorder,
        )

    def run(self) -> int:
        """Run until SIGTERM, Ctrl-C or the end of a video; return the exit code.

        Raises:
            UserError: the camera's source cannot be read, and a retry cannot help.
        """
        with self._signals.handled():
            self._reporter.info(info_facts(self._vision, self._kernels, self._live.settings.privacy))
            self._commands.publish_settings()
            if self._discovery is not None:
                self._link.publish(self._discovery.message())
            return self._loop.run()

    def _open_recorder(self, state: Path | None, now: float) -> "Recorder":
        """Open the recorder, which is imported only where it is used."""
        from fer_edge.recording.recorder import open_recorder  # noqa: PLC0415

        model = self._vision.classifier.card.sha256
        return open_recorder(self._live.settings, state, model, now, time.time())

    def _open_preview(self, device: str, keeper: CommandQueue) -> "Preview":
        """Open the live page, which is imported only where it is used."""
        from fer_edge.web.server import Preview  # noqa: PLC0415

        preview = Preview(self._live.settings, device, keeper.submit)
        self._show_overrides(preview)
        return preview

    def _show_overrides(self, preview: "Preview") -> None:
        zones = self._live.next.privacy.zones
        preview.stage.set_overrides(self._live.overrides, zones, self._live.place)

    def _set_capturing(self, *, enabled: bool) -> None:
        """Open or close the camera, and publish its phase and `health` at once."""
        self._watch.set_capturing(enabled=enabled)
        self._health.publish(time.monotonic())

    def _apply(self, settings: Settings) -> None:
        """Apply changed settings, from the next frame on."""
        set_level(settings.log_level)
        self._vision.reconfigure(settings.gates)
        self._decider.reconfigure(settings.decide, settings.track.lost_s)
        if self._preview:
            self._preview.stage.reconfigure(settings.decide, settings.track.lost_s)
            self._show_overrides(self._preview)
        if self._recorder:
            self._recorder.reconfigure(settings.decide, settings.track.lost_s)
        self._reporter.reconfigure(settings.publish)
        self._windows.length_s = settings.publish.summary_s
        self._health.reconfigure(settings.publish.health_s)

    def _reannounce(self) -> None:
        """Publish discovery and all retained messages again, for a Home Assistant that has just started."""
        if self._discovery is not None:
            topics = self._discovery.topics
            self._link.repeat((self._discovery.topic, topics.info, topics.settings, topics.state))
            self._health.publish(time.monotonic())
