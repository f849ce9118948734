"""The one composition root: settings in, a running daemon out. Threads, clocks and signals meet here and nowhere else.

capture thread -> [mailbox, newest wins] -> main thread: vision, decide, messages -> outbox -> link, store threads
"""

import logging
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fer_edge.attendant import Attendant
from fer_edge.capture.blackout import blacked_out
from fer_edge.capture.camera import Camera
from fer_edge.capture.mailbox import Mailbox
from fer_edge.capture.shutter import Shutter
from fer_edge.capture.sources import Source, open_source
from fer_edge.capture.supervise import Phase
from fer_edge.config import CameraSettings, Settings
from fer_edge.decide.decider import Decider
from fer_edge.deliver.delivery import Delivery, Folders
from fer_edge.deliver.forget import forget_events
from fer_edge.deliver.home_assistant import Birth
from fer_edge.deliver.inbox import Inbox, Listening
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.reporter import Reporter
from fer_edge.deliver.topics import Topics, client_id
from fer_edge.errors import EXIT_FAILED
from fer_edge.facts import discovery_of, health_figures, info_facts, status_of
from fer_edge.keeper import Keeper
from fer_edge.live_settings import LiveSettings
from fer_edge.operate.clock import is_synchronised
from fer_edge.operate.device import MIB
from fer_edge.operate.health import HealthMeter
from fer_edge.operate.logs import set_level, set_up_logging
from fer_edge.operate.memory import MemoryBound, release_unused
from fer_edge.operate.notify import Notifier
from fer_edge.operate.overlay_file import OverlayFile
from fer_edge.operate.signals import Signals
from fer_edge.operate.status import Part, Pictures
from fer_edge.operate.systemd import Systemd
from fer_edge.pipeline import Pipeline, Witness
from fer_edge.settings_file import Document
from fer_edge.vision.kernels import examine
from fer_edge.vision.vision import build_vision
from fer_edge.windows import Windows
from fer_edge.zones import Zones

if TYPE_CHECKING:
    from fer_edge.preview.preview import Preview
    from fer_edge.record.recorder import Recorder

logger = logging.getLogger(__name__)

# How long the main thread waits for a frame before it looks at the time, the camera and the signals.
TICK_S = 0.25
SETTLED_S = 5.0  # after the start: all that runs once has run
# While nobody is looked at, faces are said to be gone, for this reason.
UNSEEING = {Phase.LOST: "camera", Phase.SILENT: "camera", Phase.FROZEN: "camera", Phase.PAUSED: "paused"}
# A stop is over within five seconds (the unit grants ten): all farewells together, and of it the broker's last answer.
STOP_S = 4.0
LINK_STOP_S = 3.0


class App:
    """The daemon, built from settings; what it is built of belongs to the main thread.

    ``document`` is where the settings come from and ``settings_path`` what a reload reads again. ``state`` and
    ``runtime`` are the folders, on disk and in memory, for what outlives it; without one nothing does. ``preview``
    serves the live page whatever the settings say.

    Raises:
        UserError: what it needs cannot be had: a model, a password file, a certificate.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
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
        kept = None if state is None else OverlayFile(state / f"{client_id(topics.prefix, topics.device)}.json")
        self._live = LiveSettings(given, settings_path, kept)
        settings = self._live.settings
        self._signals = Signals()
        self._systemd = Systemd(Notifier(), time.monotonic())
        self._memory = MemoryBound(settings.memory_max_mib * MIB)
        self._exit_code = 0
        self._vision = build_vision(settings)
        self._kernels = examine(self._vision.classifier.runner)
        clocks = Clocks(time.time, time.monotonic, is_synchronised)
        model = self._vision.classifier.card.sha256
        folders, aggregate = Folders(state, runtime), settings.privacy.mode == "aggregate"
        if aggregate:
            forget_events(folders, topics)
            folders = Folders()
        inbox = Inbox()
        birth = Birth(settings.home_assistant, random.random)
        self._discovery = discovery_of(settings, topics, self._vision) if settings.home_assistant.discovery else None
        heard = (topics.requests, birth.topic) if self._discovery else (topics.requests,)
        self._delivery = Delivery(
            settings.mqtt,
            topics,
            model,
            clocks,
            random.random,
            folders=folders,
            first=(topics.info, topics.settings, topics.state),
            listening=Listening(heard, inbox.put),
        )
        self._link = self._delivery.link
        self._reporter = Reporter(self._delivery.messages, self._delivery, settings.publish, aggregate=aggregate)
        self._windows = Windows(self._reporter.summary, settings.publish.summary_s, now)
        self._decider = Decider(settings.decide, settings.track.lost_s)
        self._keeper = Keeper(settings_path, lambda change, reread: self._attendant.adopt(change, reread=reread))
        self._preview = self._open_preview(topics.device) if preview or settings.preview.enabled else None
        self._recorder = self._open_recorder(state, now) if settings.record.enabled else None
        parts = (self._windows, self._preview.stage if self._preview else None, self._recorder)
        witnesses: list[Witness] = [part for part in parts if part is not None]
        self._pipeline = Pipeline(self._vision.see, self._decider, self._reporter, witnesses)
        self._mailbox = Mailbox()
        zones = Zones(settings.privacy.zones)
        self._shutter = Shutter(
            lambda: Camera(settings.camera, self._mailbox, opener=lambda camera: blacked_out(opener(camera), zones)),
            self._mailbox,
            paused=self._live.paused,
            now=now,
        )
        self._attendant = Attendant(
            inbox=inbox,
            topics=topics,
            reporter=self._reporter,
            live=self._live,
            look=self._look,
            apply=self._apply,
            birth=birth,
            introduce=self._introduce,
        )
        self._phase = Phase.OPENING
        self._pictures = Pictures(time.monotonic())
        self._meter = HealthMeter(time.monotonic())
        self._health_due = time.monotonic() + settings.publish.health_s
        self._settles_at = time.monotonic() + SETTLED_S

    def run(self) -> int:
        """Runs until SIGTERM, Ctrl-C or the end of a video; gives the exit code.

        Raises:
            UserError: the camera's source can never be read, whatever the wait.
        """
        with self._signals.heard():
            self._reporter.info(info_facts(self._vision, self._kernels, self._live.settings.privacy))
            self._attendant.tell_settings()
            if self._discovery is not None:
                self._link.publish(self._discovery.message())
            self._delivery.start()
            self._shutter.start()
            if self._preview:
                self._preview.start()
            try:
                while not self._signals.stop.is_set() and self._tick():
                    pass
            finally:
                self._shut_down()
        return self._exit_code

    def _tick(self) -> bool:
        """One frame, or the passing of time without one; False when there is nothing more to do."""
        frame = self._mailbox.take(TICK_S)
        self._shutter.check()
        now = time.monotonic()
        self._delivery.check(now)
        self._watch_camera(now)
        if frame is not None:
            decision = self._pipeline.step(frame)
            self._meter.frame(time.monotonic() - frame.captured_at, decision.in_frame)
            self._pictures.looked_at(len(decision.in_frame))
        elif self._phase is Phase.ENDED and self._systemd.ready:
            return False
        else:
            self._pipeline.idle(now)
        self._pictures.pass_time(now)
        if self._preview:
            camera, link = self._shutter.state(now), self._link.state(now)
            self._preview.stage.states(camera.phase, camera.reason, link.text, connected=link.connected)
        if self._signals.reload.is_set() and self._systemd.ready:
            self._signals.reload.clear()
            self._systemd.reloading()
            self._attendant.reload()
            self._systemd.reloaded()
        self._attendant.serve(now)
        self._keeper.serve()
        if now >= self._settles_at:
            self._settles_at = float("inf")
            release_unused()
        if now >= self._health_due:
            self._tell_health(now)
        # Asked no more once READY was said: the link's state counts what waits, which is work for each frame.
        tried = self._systemd.ready or (self._phase is not Phase.OPENING and self._link.state(now).tried)
        due_by = {"camera": self._shutter.due_by, "link": self._link.due_by}
        self._systemd.look(now, tried=tried, parts=lambda: self._parts(now), due_by=due_by)
        return not self._too_large(now)

    def _parts(self, now: float) -> list[Part]:
        return status_of(self._shutter.state(now), self._link.state(now), self._pictures, self._attendant.mistake)

    def _too_large(self, now: float) -> bool:
        """Whether memory has passed its bound: then the daemon ends, and whoever watches over it starts a fresh one."""
        held = self._memory.passed(now)
        if held is None:
            return False
        limit = self._live.settings.memory_max_mib
        logger.error("holding %d MiB, memory_max_mib is %d: ending, to be started afresh", held // MIB, limit)
        self._exit_code = EXIT_FAILED
        return True

    def _watch_camera(self, now: float) -> None:
        """Takes note of a camera that went away or came back: without one nobody is there to be seen."""
        phase = self._shutter.state(now).phase
        if phase is self._phase:
            return
        self._phase = phase
        self._reporter.camera(phase)
        if phase in UNSEEING:
            self._pipeline.close(now, UNSEEING[phase])

    def _tell_health(self, now: float) -> None:
        self._health_due = now + self._live.settings.publish.health_s
        health = self._meter.report(now, self._mailbox.dropped)
        camera, link = self._shutter.state(now), self._link.state(now)
        figures = health_figures(health, self._kernels, camera, link, now, self._attendant.figures())
        self._reporter.health(figures)
        if self._preview:
            self._preview.stage.health(figures)

    def _open_recorder(self, state: Path | None, now: float) -> "Recorder":
        """The ring of scores; a daemon without one does not load it."""
        from fer_edge.record.recorder import open_recorder  # noqa: PLC0415

        model = self._vision.classifier.card.sha256
        return open_recorder(self._live.settings, state, model, now, time.time())

    def _open_preview(self, device: str) -> "Preview":
        """The live page; a daemon without one does not load it."""
        from fer_edge.preview.preview import Preview  # noqa: PLC0415

        return Preview(self._live.settings, device, self._keeper)

    def _look(self, may: bool) -> None:  # noqa: FBT001 - the one thing there is to say
        """Opens the camera or closes it, and says so at once."""
        now = time.monotonic()
        if may:
            self._shutter.resume()
        else:
            self._shutter.pause(now)
        self._watch_camera(now)
        self._tell_health(now)

    def _apply(self, settings: Settings) -> None:
        """Settings that changed are in force from the next frame on."""
        set_level(settings.log_level)
        self._vision.reconfigure(settings.gates)
        self._decider.reconfigure(settings.decide, settings.track.lost_s)
        if self._preview:
            self._preview.stage.reconfigure(settings.decide, settings.track.lost_s)
        if self._recorder:
            self._recorder.reconfigure(settings.decide, settings.track.lost_s)
        self._reporter.reconfigure(settings.publish)
        self._windows.length_s = settings.publish.summary_s
        self._health_due = min(self._health_due, time.monotonic() + settings.publish.health_s)

    def _introduce(self) -> None:
        """Says everything again: Home Assistant has started, and may have heard nothing of it."""
        if self._discovery is not None:
            topics = self._discovery.topics
            self._link.repeat((self._discovery.topic, topics.info, topics.settings, topics.state))
            self._tell_health(time.monotonic())

    def _shut_down(self) -> None:
        """Camera, last events, `offline` acknowledged, link: in this order."""
        stop_by = time.monotonic() + STOP_S
        self._systemd.stopping()
        if self._preview:
            self._preview.stop()
        self._shutter.stop()
        self._pipeline.close(time.monotonic(), "stopped")
        self._windows.end(time.monotonic())
        if self._recorder:
            self._recorder.stop(max(0.0, stop_by - time.monotonic() - LINK_STOP_S))
        self._delivery.stop(min(LINK_STOP_S, stop_by - time.monotonic()))
        self._systemd.close()
