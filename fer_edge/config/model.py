"""Everything a user can set, one class a section, at its default. `config.yaml` says the same with the reasons.

Nothing but frozen settings is here: reading the file and naming its mistakes is `settings_file.py`. A value is checked
once, at the door, against the range in its annotation and the rules in `settings_rules.py`; inside it is trusted.
Each field's docstring gives its unit and range and is shown to editors through `fer-edge schema`.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from fer_edge.emotions import EMOTIONS

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
PICAMERA = re.compile(r"picamera(?::([0-9]{1,2}))?")
MEANT_PICAMERA = re.compile(r"picamera\s*(:.*|[\s_#-]?[0-9]*)", re.IGNORECASE)
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=86400.0)]
# `$` alone would let a line break at the end pass.
END = r"$(?!\n)"
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff"  # also line separators, and the byte order mark that nobody sees
NO_CONTROL = rf"^[^{CONTROL}]*{END}"
TOPIC_PATTERN = rf"^[^#+/$\s{CONTROL}]([^#+\s{CONTROL}]*[^#+/\s{CONTROL}])?{END}"
PLAIN = "text without control characters"
SOURCE = "a camera's number from 0 to 1000, an address or a path, without control characters"
PATH = "a path of at most 4096 characters, without control characters"
HOST = "a name or an IP address of at most 255 characters"
TOPIC_LEVEL = "at most 100 characters, none of them /, #, +, blank or control character"
WEB_PATH = "text that starts with / and has no blanks, at most 2000 characters"
TOPIC_PREFIX = "text without #, +, blanks and control characters, and without / or $ at its start or / at its end"
ZONE_POINT = "a point [x, y], two numbers between 0 and 1: fractions of the picture's width and height"
ZONE = "a list of 3 to 100 points [x, y] around the zone"
ZonePoint = Annotated[tuple[Fraction, Fraction], Meta(description=ZONE_POINT)]
ZONES = "a list of at most 100 zones"
Zone = Annotated[tuple[ZonePoint, ...], Meta(min_length=3, max_length=100, description=ZONE)]
LEAST_AGGREGATE_S = 60.0  # seconds; a summary of less says of a single person when it smiled
Port = Annotated[int, Meta(ge=1, le=65535)]
PlainText = Annotated[str, Meta(pattern=NO_CONTROL, description=PLAIN)]
FilePath = Annotated[str, Meta(max_length=4096, pattern=NO_CONTROL, description=PATH)]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=NO_CONTROL, description=HOST)]


def scheme_of(source: str) -> str | None:
    """`rtsp` of `rtsp://...`, as it is written; None of a device, a file or a folder."""
    found = SCHEME.match(source)
    return None if found is None else found[1]


def picamera_number(source: str) -> int | None:
    """The number of the Pi camera that ``source`` names: 0 of `picamera`, 1 of `picamera:1`; None of anything else."""
    found = PICAMERA.fullmatch(source)
    return None if found is None else int(found[1] or 0)


def picamera_flaw(source: str) -> str | None:
    """The sentence on a source that is no Pi camera and looks like one, such as `picamera1`; else None."""
    if picamera_number(source) is not None or MEANT_PICAMERA.fullmatch(source) is None:
        return None
    return "the Pi's own camera is picamera, the one on its second port picamera:1 (a file of that name is ./NAME)"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections have in common: frozen, every key by name, an unknown key is a mistake."""


class CameraSettings(Section, frozen=True):
    """Where frames come from."""

    source: Annotated[
        Annotated[str, Meta(max_length=4096, pattern=NO_CONTROL)] | Annotated[int, Meta(ge=0, le=1000)],
        Meta(description=SOURCE),
    ] = 0
    """0, 1, ... or /dev/video0 (V4L2); rtsp:// or http:// (MJPEG); a video file; a folder of images; `picamera`,
    `picamera:1`."""
    username: PlainText = ""
    """User name at a network camera; empty: the one in `source`, if any."""
    password_file: FilePath = ""
    """Path of a file whose first line is the network camera's password; empty: systemd's credential `camera-password`,
    if any."""
    transport: Literal["auto", "tcp", "udp"] = "auto"
    """How RTSP pictures travel: `auto` tries TCP first, then UDP."""
    width: Annotated[int, Meta(ge=64, le=4096)] = 640
    """Pixels asked of a camera, 64 to 4096. Files and streams keep their own size."""
    height: Annotated[int, Meta(ge=48, le=4096)] = 480
    """Pixels asked of a camera, 48 to 4096."""
    rate_hz: Annotated[float, Meta(gt=0.0, le=120.0)] = 15.0
    """Frames per second asked of a camera, and the pace of a folder of images; above 0 to 120."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise by which each frame is turned before anything looks at it: 0, 90, 180 or 270."""
    loop: bool = False
    """Start a video file or folder again at its end instead of ending the daemon."""
    stall_s: Annotated[float, Meta(ge=1.0, le=60.0)] = 4.0
    """Seconds, 1 to 60, without a frame, or with the very same picture, after which a live source is reopened."""
    reopen_max_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0
    """Longest wait in seconds, 1 to 3600, between two attempts to open a source that is away."""


class DetectSettings(Section, frozen=True):
    """How faces are found."""

    backend: Literal["own", "yunet", "haar"] = "own"
    """`own` is the network that ships, `yunet` needs `model`, `haar` comes with OpenCV 4."""
    model: FilePath = ""
    """Path of the YuNet ONNX file, or, for `own`, of another TFLite file with its card beside it."""
    width: Annotated[int, Meta(ge=64, le=1920)] = 160
    """Pixels, 64 to 1920, to which a frame is reduced for detection; faces below 1/20 are missed, by haar 1/12."""
    score: Fraction = 0.7
    """Lowest detector score, 0 to 1, that counts as a new face; Haar has no score."""
    every: Annotated[int, Meta(ge=1, le=30)] = 1
    """Detect in every n-th frame, 1 to 30; the tracker carries the boxes through those between."""


class TrackSettings(Section, frozen=True):
    """When two detections are the same face."""

    iou: Fraction = 0.3
    """Least overlap, 0 to 1 (intersection over union), of a detection with where a face is expected."""
    score: Fraction = 0.5
    """Lowest detector score, 0 to 1, with which a face that is followed is found again; see `detect.score`."""
    lost_s: Annotated[float, Meta(ge=0.1, le=60.0)] = 2.0
    """Seconds, 0.1 to 60, a face may be out of sight and still be the same when it is found again."""


class GateSettings(Section, frozen=True):
    """Which faces are good enough to be read. What they reject is counted in `health`."""

    min_width_px: Annotated[int, Meta(ge=8, le=1000)] = 28
    """Narrowest face in pixels of the full frame, 8 to 1000."""
    min_brightness: Annotated[float, Meta(ge=0.0, le=255.0)] = 25.0
    """Darkest face that is read: mean grey value, 0 to 255."""
    min_sharpness: Annotated[float, Meta(ge=0.0, le=100000.0)] = 60.0
    """Most blurred face that is read: variance of the Laplacian of the 48x48 crop, 0 lets everything pass."""
    min_inside: Fraction = 0.7
    """Least part of the face's box, 0 to 1, that must lie inside the frame."""


class ClassifySettings(Section, frozen=True):
    """The expression network."""

    model: FilePath = "small"
    """`small` or `nano`, which ship, or the path of a TFLite file with its card `<name>.json` beside it."""
    threads: Annotated[int, Meta(ge=1, le=8)] = 1
    """CPU threads, 1 to 8; one is fastest for networks this small."""


class Threshold(Section, frozen=True):
    """One expression's hysteresis."""

    enter: Fraction | None = None
    """Smoothed probability, 0 to 1, from which the expression is believed; none means `decide.enter`."""
    leave: Fraction | None = None
    """Smoothed probability, 0 to 1, below which it is no longer believed; none means `decide.leave`."""


class DecideSettings(Section, frozen=True):
    """How scores become events. All times are in seconds, so 5 and 30 frames a second behave alike."""

    smooth_s: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.6
    """Time constant in seconds, 0 to 30, of the average over a face's scores; 0 takes each frame as it is."""
    enter: Fraction = 0.5
    """Smoothed probability, 0 to 1, from which an expression is believed."""
    leave: Fraction = 0.35
    """Smoothed probability, 0 to 1, below which a believed expression is given up; at most `enter`."""
    dwell_s: Seconds = 0.4
    """Seconds an expression must stay the strongest and above `enter` before it is announced."""
    arrive_s: Seconds = 0.4
    """Seconds a face must have been seen before it is announced; as long again at most where its expression dwells."""
    emotions: dict[Literal[EMOTIONS], Threshold] = field(default_factory=dict)  # type: ignore[valid-type]
    """Own thresholds for single expressions: `{happy: {enter: 0.7}}`."""


class TlsSettings(Section, frozen=True):
    """Encryption of the link to the broker."""

    enabled: bool = False
    """Use TLS."""
    ca: FilePath = ""
    """Path of the PEM file of the authority that signed the broker's certificate; empty: the system's authorities."""
    certificate: FilePath = ""
    """Path of this client's own PEM certificate, where the broker asks for one."""
    key: FilePath = ""
    """Path of the private key of `certificate`."""


class MqttSettings(Section, frozen=True):
    """The broker, and what is said to it."""

    host: Host = "localhost"
    """Name or address of the broker."""
    port: Port = 1883
    """TCP port, 1 to 65535; 8883 is usual with TLS."""
    username: PlainText = ""
    """User name; empty connects without."""
    password_file: FilePath = ""
    """Path of a file whose first line is the password; empty: systemd's credential `mqtt-password`, if any."""
    tls: TlsSettings = TlsSettings()
    transport: Literal["tcp", "websocket"] = "tcp"
    """`websocket` where only web traffic gets through; then `port` is the broker's for WebSocket."""
    websocket_path: Annotated[str, Meta(max_length=2000, pattern=rf"^/[\x21-\x7e]*{END}", description=WEB_PATH)] = (
        "/mqtt"
    )
    """Path of the broker's WebSocket, with a `/` first."""
    prefix: Annotated[str, Meta(pattern=TOPIC_PATTERN, description=TOPIC_PREFIX)] = "fer_edge"
    """First part of every topic; `/` only inside it, no `#`, no `+`, no blanks."""
    client_id: PlainText = ""
    """Client id; empty: made from prefix and device. Two daemons with one id throw each other out."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """`auto` tries MQTT 5 first and falls back to 3.1.1."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 20
    """Seconds, 5 to 3600, of silence after which the link is probed; a dead one is noticed after about twice that."""
    reconnect_max_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 60.0
    """Longest wait in seconds, 1 to 3600, between two attempts to reach the broker."""
    event_expiry_s: Annotated[int, Meta(ge=0, le=31536000)] = 604800
    """Seconds, 0 to a year, until an event nobody fetched is dropped, here and by the broker (MQTT 5); 0 never."""
    durability: Literal["default", "strict", "memory"] = "default"
    """`default` writes events to disk while the broker does not take them; `strict` each before it is published;
    `memory` none ever."""
    queue: Annotated[int, Meta(ge=10, le=1000000)] = 10000
    """Events kept, 10 to a million, while the broker is away; beyond it the oldest go and a `gap` says so."""
    queue_mib: Annotated[int, Meta(ge=1, le=1024)] = 16
    """MiB, 1 to 1024, of events kept while the broker is away, in memory and as much on disk."""
    replay_hz: Annotated[float, Meta(ge=1.0, le=100000.0)] = 200.0
    """Events a second, 1 to 100000, at most, that are sent later than they were made."""


class PublishSettings(Section, frozen=True):
    """How often what is not an event is published."""

    state_s: Annotated[float, Meta(ge=0.1, le=3600.0)] = 1.0
    """Least seconds, 0.1 to 3600, between two `state` messages; a change is never lost, only merged."""
    health_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0
    """Seconds, 1 to 3600, between two `health` messages."""
    summary_s: Annotated[float, Meta(ge=10.0, le=86400.0)] = 300.0
    """Seconds, 10 to 86400, that a `summary` message covers; at least 60 where `privacy.mode` is `aggregate`."""


class RecordSettings(Section, frozen=True):
    """Scores kept on disk for `fer-edge tune`: numbers only, never a picture."""

    enabled: bool = False
    """Keep scores."""
    folder: FilePath = ""
    """Where; empty: `record` in the daemon's state folder."""
    max_mib: Annotated[float, Meta(ge=1.0, le=10240.0)] = 64.0
    """MiB, 1 to 10240, on disk at most; the oldest scores go first."""
    write_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 60.0
    """Seconds, 1 to 3600, between two writes; what a power cut loses."""


class PreviewSettings(Section, frozen=True):
    """The live page in a browser."""

    enabled: bool = False
    """Serve the page; `fer-edge run --preview` does so too. Pictures then leave the device to whoever opens it."""
    address: Host = "127.0.0.1"
    """Address to listen on; any but loopback demands `token_file`."""
    port: Port = 8090
    """TCP port, 1 to 65535."""
    token_file: FilePath = ""
    """Path of a file whose first line is the token that watchers must know, 16 characters or more."""
    watchers: Annotated[int, Meta(ge=1, le=50)] = 5
    """How many pages may be open at once, 1 to 50."""
    rate_hz: Annotated[float, Meta(ge=0.5, le=30.0)] = 10.0
    """Pictures a second, 0.5 to 30, at most."""
    width: Annotated[int, Meta(ge=160, le=1920)] = 960
    """Pixels, 160 to 1920, to which wider pictures are reduced."""
    minutes: Annotated[float, Meta(ge=0.0, le=60.0)] = 5.0
    """Minutes, 0 to 60, of scores kept in memory for the sliders; about 1 MiB a minute at 15 frames a second."""


class PrivacySettings(Section, frozen=True):
    """What nobody is to see, and how much is told of what is seen."""

    mode: Literal["full", "aggregate"] = "full"
    """`full` tells each event; `aggregate` tells summaries alone: no faces, no events, no state."""
    zones: Annotated[tuple[Zone, ...], Meta(max_length=100, description=ZONES)] = ()
    """At most 100 polygons that are black before anything looks at the picture: `[[[0, 0], [0.3, 0], [0.3, 1]]]`."""


class GovernorSettings(Section, frozen=True):
    """What is done when the device is too hot."""

    hot_c: Annotated[float, Meta(ge=40.0, le=120.0)] = 80.0
    """Degrees Celsius, 40 to 120, of the processor from which fewer frames are looked at."""


class HomeAssistantSettings(Section, frozen=True):
    """Whether the device shows itself in Home Assistant."""

    discovery: bool = False
    """Publish the device where Home Assistant looks for devices, so that it appears there by itself."""
    prefix: Annotated[str, Meta(pattern=TOPIC_PATTERN, description=TOPIC_PREFIX)] = "homeassistant"
    """Home Assistant's discovery prefix; change it only where it was changed there."""


class Settings(Section, frozen=True):
    """The whole of `config.yaml`."""

    device: Annotated[str, Meta(pattern=rf"^[^#+/\s{CONTROL}]{{0,100}}{END}", description=TOPIC_LEVEL)] = ""
    """Name of this device in topics, without `/`, `#`, `+` or blanks; empty means the host name."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""
    memory_max_mib: Annotated[int, Meta(ge=100, le=100000)] = 300
    """MiB of memory, 100 to 100000, beyond which the daemon ends in good order, so that it is started afresh."""
    camera: CameraSettings = CameraSettings()
    detect: DetectSettings = DetectSettings()
    track: TrackSettings = TrackSettings()
    gates: GateSettings = GateSettings()
    classify: ClassifySettings = ClassifySettings()
    decide: DecideSettings = DecideSettings()
    mqtt: MqttSettings = MqttSettings()
    publish: PublishSettings = PublishSettings()
    record: RecordSettings = RecordSettings()
    preview: PreviewSettings = PreviewSettings()
    privacy: PrivacySettings = PrivacySettings()
    governor: GovernorSettings = GovernorSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
