"""Every way in from outside: files, messages, addresses that are fetched, and the live page."""

import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import msgspec
import numpy as np
from rich.console import Console

from fer_edge.capture.images import UnreadableImage, read_image
from fer_edge.config.loader import load_document
from fer_edge.config.model import DecideSettings, HomeAssistantSettings, MqttSettings, PublishSettings
from fer_edge.config.overrides import OverridesFile
from fer_edge.config.rules import contradictions
from fer_edge.config.runtime import RuntimeConfig
from fer_edge.daemon.commands import CommandHandler
from fer_edge.errors import ModelError, SettingsError, UserError
from fer_edge.homeassistant.discovery import BirthWatch
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks, Messages
from fer_edge.mqtt.publisher import MqttPublisher
from fer_edge.mqtt.requests import ReceivedMessage, RequestQueue
from fer_edge.mqtt.topics import Topics
from fer_edge.recording.format import Origin, Step, StepKind, opening, read_recording, rows
from fer_edge.subscriber.command import EventsOptions, read_recorded
from fer_edge.tuning.ground_truth import read_spans
from fer_edge.tuning.replay import replay
from fer_edge.types import Event, EventKind, Message
from fer_edge.untrusted import SecretError, read_secret
from fer_edge.vision.model_card import load_card, load_detector_card
from tests.fuzz.campaign import Entrance, Finding, Parts
from tests.fuzz.network import BROKER, CAMERA, DOOR, PAGE
from tests.mqtt.conftest import an_event
from tests.web.conftest import Play

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "fer_edge" / "models"
NOBODY = 1  # a port of loopback where no broker listens
CLOCKS = Clocks(time.time, time.monotonic, lambda: True)
TOPICS = Topics("fer_edge", "porch")

SMALL_CONFIG = b"""\
# by hand
device: porch
camera: {source: "rtsp://joe:secret@192.0.2.1:554/stream?x=1", rate_hz: 15, rotate: 90}
classify: {model: ~/model.tflite}
decide: {enter: 0.6, leave: 0.4, emotions: {happy: {enter: 0.8}}}
privacy: {mode: full, zones: [[[0, 0], [0.3, 0], [0.3, 1]]]}
mqtt: {host: "::1", port: 1883, prefix: a/b, username: joe, password_file: ~/secret}
preview: {enabled: true, address: 0.0.0.0, token_file: /etc/token}
publish: {summary_s: 300}
"""
OVERLAY = b'{"schema":1,"paused":true,"settings":{"decide":{"enter":0.7,"emotions":{"sad":{"enter":0.9,"leave":0.2}}}}}'


class Nowhere:
    """A carrier whose messages are encoded and dropped."""

    def event(self, event: Event) -> None: ...

    def publish(self, message: Message) -> None:
        if len(message.payload) > MAX_ANSWER_BYTES:
            raise Finding(f"answers with {len(message.payload)} bytes on {message.topic}")


MAX_ANSWER_BYTES = 64 * 1024  # the settings in force, with all that can be changed, are a tenth of it


def _config(parts: Parts, folder: Path) -> bool:
    path = folder / "config.yaml"
    path.write_bytes(parts[0])
    try:
        load_document(path)
    except SettingsError as error:
        str(error).encode()  # it is printed
        return False
    return True


def _live(folder: Path, config: bytes, overlay: bytes) -> tuple[RuntimeConfig, Path]:
    path = folder / "config.yaml"
    path.write_bytes(config)
    document = load_document(path)
    (folder / "overlay.json").write_bytes(overlay)
    return RuntimeConfig(document, path, OverridesFile(folder / "overlay.json")), path


def _reload(parts: Parts, folder: Path) -> bool:
    live, path = _live(folder, SMALL_CONFIG, parts[0])
    path.write_bytes(parts[1])
    taken = True
    try:
        live.reload()
    except SettingsError:
        taken = False
    if wrong := contradictions(live.settings):
        raise Finding(f"settings that contradict each other are in force: {wrong}")
    msgspec.json.encode([live.table(), live.paused, live.settings])
    return taken and not (folder / "overlay.json.rejected").exists()


class CountedRequests:
    """Count of accepted requests, in place of the health reporter."""

    accepted = 0

    def on_request(self, *, accepted: bool) -> None:
        self.accepted += accepted


class NoControls:
    """Controls of a daemon without parts."""

    def __init__(self) -> None:
        self.health = CountedRequests()

    def set_capturing(self, *, enabled: bool) -> None: ...

    def apply(self) -> None: ...

    def reannounce(self) -> None: ...


def _request(parts: Parts, folder: Path) -> bool:
    verb, payload, reply_to, correlation = parts
    live, _ = _live(folder, b"device: porch\n", b"{}")
    inbox, controls = RequestQueue(), NoControls()
    commands = CommandHandler(
        inbox=inbox,
        topics=TOPICS,
        publisher=MqttPublisher(Messages(TOPICS, "0" * 64, "0" * 8, CLOCKS), Nowhere(), PublishSettings()),
        live=live,
        birth=BirthWatch(HomeAssistantSettings(), lambda: 0.5),
        controls=controls,
    )
    topic = TOPICS.requests.removesuffix("+") + verb.decode(errors="replace")
    inbox.put(ReceivedMessage(topic, payload, False, reply_to.decode(errors="replace") or None, correlation or None))
    commands.serve(0.0)
    return controls.health.accepted > 0


def _card(load: Callable[[Path], object]) -> Callable[[Parts, Path], bool]:
    def enter(parts: Parts, folder: Path) -> bool:
        (folder / "model.json").write_bytes(parts[0])
        try:
            load(folder / "model.tflite")
        except ModelError as error:
            str(error).encode()
            return False
        return True

    return enter


def _scores(parts: Parts, folder: Path) -> bool:
    path = folder / ("a.scores.csv" + (".gz" if parts[0].startswith(b"\x1f") else ""))
    path.write_bytes(parts[0])
    try:
        recording = read_recording(path)
    except UserError:
        return False
    replay(recording)
    return True


def _labels(parts: Parts, folder: Path) -> bool:
    (folder / "labels.csv").write_bytes(parts[0])
    try:
        read_spans(folder / "labels.csv")
    except UserError:
        return False
    return True


def _events(parts: Parts, folder: Path) -> bool:
    path = folder / "events.jsonl"
    path.write_bytes(parts[0])
    codes = []
    for wish in (EventsOptions(audit=True), EventsOptions(), EventsOptions(as_json=True)):
        out = StringIO()
        try:
            codes.append(read_recorded([path], None, wish, Console(file=out)))
        except UserError:
            return False
        out.getvalue().encode()
    return codes == [0, 0, 0]


def _secret(parts: Parts, folder: Path) -> bool:
    path = folder / "secret"
    path.write_bytes(parts[0])
    path.chmod(0o600)
    try:
        read_secret(path, "mqtt.password_file").encode()
    except SecretError:
        return False
    return True


def _image(parts: Parts, folder: Path) -> bool:
    (folder / "image").write_bytes(parts[0])
    try:
        image = read_image(folder / "image")
    except UnreadableImage:
        return False
    assert image.ndim == 3
    assert image.dtype == np.uint8
    return True


def _state(parts: Parts, folder: Path) -> bool:
    """The files of an earlier boot, some damaged: the next one starts, and stops."""
    for name, content in zip(_state_files(), parts, strict=True):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    delivery = _delivery(folder)
    delivery.check(time.monotonic())
    delivery.stop(0.0)
    return not list(folder.rglob("*.corrupt"))


def _delivery(folder: Path) -> Delivery:
    settings = MqttSettings(host="127.0.0.1", port=NOBODY)
    folders = Folders(folder / "state", folder / "run")
    delivery = Delivery(settings, TOPICS, "0" * 64, CLOCKS, lambda: 1.0, folders=folders)
    delivery.start()
    return delivery


@cache
def _state_files() -> Mapping[str, bytes]:
    """Name to content of what a daemon leaves that was killed while events waited."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "run").mkdir()
        first = _delivery(folder)
        for number in range(3):
            first.event(an_event(EventKind.APPEARED, at=time.monotonic(), face=number))
        first.stop(0.0)
        second = _delivery(folder)
        second.event(an_event(EventKind.APPEARED, at=time.monotonic(), face=9))
        names = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in names}
        second.stop(0.0)
    return files


@cache
def _score_tables() -> Sequence[Parts]:
    origin = Origin(decide=DecideSettings(), lost_s=1.0, model="0" * 64, source="clip.mp4")
    play = Play().show(1.0, "happy").show(0.5, None).show(0.5, "sad", 0.4)
    (part,) = play.stage.recording().parts
    text = opening(origin) + "".join(map(rows, part.steps))
    text += rows(Step(StepKind.CLOSED, part.steps[-1].now, reason="stopped"))
    return ((text.encode(),), (gzip.compress(text.encode()),))


def _pictures() -> Sequence[Parts]:
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    kinds = (".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm")
    return [(cv2.imencode(kind, picture)[1].tobytes(),) for kind in kinds]


def _recorded_events() -> Sequence[Parts]:
    messages = Messages(TOPICS, "0" * 64, "0" * 8, CLOCKS)
    appeared = messages.event(an_event(EventKind.APPEARED, at=time.monotonic())).payload
    changed = messages.event(an_event(EventKind.CHANGED, at=time.monotonic(), previous="sad")).payload
    gone = messages.event(an_event(EventKind.GONE, at=time.monotonic(), duration_s=3.0, reason="lost")).payload
    state = b'{"topic":"state","payload":{"faces":[]}}'
    return (
        (b"\n".join((appeared, changed, gone, b"")),),
        (b"\n".join((state, appeared, gone, b"")),),
    )


ENTRANCES = (
    Entrance(
        "config",
        cache(lambda: ((SMALL_CONFIG,), ((ROOT / "config.yaml").read_bytes(),))),
        _config,
        (b"http:/admin:x@h", b"/dev/video0", b"picamera:1", b"aggregate", b"happy: {enter: 0.1}"),
    ),
    Entrance("reload", lambda: ((OVERLAY, SMALL_CONFIG), (b"{}", SMALL_CONFIG)), _reload, (b"null", b"aggregate")),
    Entrance(
        "request",
        lambda: (
            (b"settings", b'{"transaction":"a","decide":{"enter":0.7,"leave":null}}', b"a/b", b"1"),
            (b"settings", b"{}", b"", b""),
            (b"pause", b'{"paused":true,"transaction":7}', b"", b""),
            (b"resume", b"{}", b"fer_edge/porch/response/x", b""),
            (b"reload", b"{}", b"", b"\0"),
            (b"snapshot-state", b"{}", b"", b""),
        ),
        _request,
        (b'"x":1,' * 900, b"homeassistant/device/x/config", b"fer_edge/other/event", b"$share/a/b"),
    ),
    Entrance("card", cache(lambda: [(path.read_bytes(),) for path in (MODELS / "fer-small.json",)]), _card(load_card)),
    Entrance("detector", cache(lambda: [((MODELS / "fer-face.json").read_bytes(),)]), _card(load_detector_card)),
    Entrance("scores", _score_tables, _scores, (b"inf", b"nan", b"tick", b"closed", b",,,,")),
    Entrance("labels", lambda: ((b"from_s,to_s,emotion,face\n0,1.5,happy,1\n2,3,sad,\n",),), _labels, (b"nan", b'"')),
    Entrance("events", cache(_recorded_events), _events, (b'"gap"', b'"seq"', b'"boot"', b'"id":"x-1"', b"[bold]")),
    Entrance("secret", lambda: ((b"correct horse\n",), (b"\xef\xbb\xbfbattery\r\n",)), _secret),
    Entrance("image", cache(_pictures), _image, (b"IHDR\0\0\x75\x30\0\0\x75\x30",)),
    Entrance("state", cache(lambda: [tuple(_state_files().values())]), _state),
    PAGE,
    DOOR,
    BROKER,
    CAMERA,
)
