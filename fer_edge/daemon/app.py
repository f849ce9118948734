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
from fer_edge.daemon.controls import CameraMonitor, Controls
from fer_edge.daemon.health import HealthReporter, discovery_of, info_facts
from fer_edge.daemon.host import is_synchronised
from fer_edge.daemon.logs import set_up_logging
from fer_edge.daemon.loop import Daemon
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
        for key, text in without_effect(settings):
            logger.warning("%s: %s", key, text)
        signals = Signals()
        systemd = Systemd(Notifier(), time.monotonic())
        self._vision = build_analyzer(settings)
        kernels = inspect_delegate(self._vision.classifier.interpreter)
        clocks = Clocks(time.time, time.monotonic, is_synchronised)
        model = self._vision.classifier.card.sha256
        folders, aggregate = Folders(state, runtime), settings.privacy.mode == "aggregate"
        if aggregate:
            forget_events(folders, topics)
            folders = Folders()
        inbox = RequestQueue()
        birth = BirthWatch(settings.home_assistant, random.random)
        discovery = discovery_of(settings, topics, self._vision) if settings.home_assistant.discovery else None
        subscribed = (topics.requests, birth.topic) if discovery else (topics.requests,)
        delivery = Delivery(
            settings.mqtt,
            topics,
            model,
            clocks,
            random.random,
            folders=folders,
            first=(topics.info, topics.settings, topics.state),
            subscription=Subscription(subscribed, inbox.put),
        )
        publisher = MqttPublisher(delivery.messages, delivery, settings.publish, aggregate=aggregate)
        least_s = LEAST_AGGREGATE_S if aggregate else 0.0
        windows = SummaryScheduler(publisher.summary, settings.publish.summary_s, now, least_s)
        decider = EventDetector(settings.decide, settings.track.lost_s)
        saves = CommandQueue()
        page = self._open_preview(topics.device, saves) if preview or settings.preview.enabled else None
        recorder = self._open_recorder(state, now) if settings.record.enabled else None
        parts = (windows, page.stage if page else None, recorder)
        observers: list[PipelineObserver] = [part for part in parts if part is not None]
        pipeline = Pipeline(self._vision.analyze, decider, publisher, observers, self._vision.reset)
        latest_frame = LatestFrame()
        if settings.camera.username:
            check_login(settings.camera)
        capture = Camera(
            settings.camera,
            latest_frame,
            mask=PrivacyMask(settings.privacy.zones).apply,
            opener=opener,
            paused=self._live.paused,
            now=now,
        )
        monitor = CameraMonitor(capture, publisher, pipeline)
        health = HealthReporter(
            live=self._live,
            kernels=kernels,
            latest_frame=latest_frame,
            capture=capture,
            link=delivery.link,
            throttle=ThermalThrottle(settings.governor.hot_c),
            publisher=publisher,
            stage=page.stage if page else None,
            recorder=recorder,
            inbox=inbox,
        )
        controls = Controls(
            live=self._live,
            monitor=monitor,
            health=health,
            vision=self._vision,
            decider=decider,
            publisher=publisher,
            windows=windows,
            preview=page,
            recorder=recorder,
            link=delivery.link,
            discovery=discovery,
        )
        controls.show_overrides()
        self._commands = CommandHandler(
            inbox=inbox, topics=topics, publisher=publisher, live=self._live, birth=birth, controls=controls
        )
        self._daemon = Daemon(
            signals=signals,
            systemd=systemd,
            latest_frame=latest_frame,
            capture=capture,
            monitor=monitor,
            pipeline=pipeline,
            windows=windows,
            delivery=delivery,
            commands=self._commands,
            saves=saves,
            health=health,
            preview=page,
            recorder=recorder,
        )
        publisher.info(info_facts(self._vision, kernels, settings.privacy))
        self._commands.publish_settings()
        if discovery is not None:
            delivery.link.publish(discovery.message())

    def run(self) -> int:
        """Run until SIGTERM, Ctrl-C or the end of a video; return the exit code.

        Raises:
            UserError: the camera's source cannot be read, and a retry cannot help.
        """
        return self._daemon.run()

    def _open_recorder(self, state: Path | None, now: float) -> "Recorder":
        """Open the recorder, which is imported only where it is used."""
        from fer_edge.recording.recorder import open_recorder  # noqa: PLC0415

        model = self._vision.classifier.card.sha256
        return open_recorder(self._live.settings, state, model, now, time.time())

    def _open_preview(self, device: str, saves: CommandQueue) -> "Preview":
        """Open the live page, which is imported only where it is used."""
        from fer_edge.web.server import Preview  # noqa: PLC0415

        return Preview(self._live.settings, device, saves.submit)
