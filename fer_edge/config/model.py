"""Settings and their defaults, one class a section. `config.yaml` lists the same keys with the reasons.

Values are checked once, by `loader.py` against the range in the annotation and by `rules.py` against each other; the
rest of the code trusts them. A field's docstring gives unit and range; `fer-edge schema` hands it to editors.
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
# `$` alone also matches before a trailing line break.
END = r"$(?!\n)"
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff"  # with line separators and the byte order mark
NO_CONTROL = rf"^[^{CONTROL}]*{END}"
TOPIC_PATTERN = rf"^[^#+/$\s{CONTROL}]([^#+\s{CONTROL}]*[^#+/\s{CONTROL}])?{END}"
PLAIN = "text without control characters"
SOURCE = "a camera number from 0 to 1000, a URL or a path, without control characters"
PATH = "a path of at most 4096 characters, without control characters"
HOST = "a name or an IP address of at most 255 characters"
TOPIC_LEVEL = "at most 100 characters without /, #, +, spaces and control characters"
WEB_PATH = "text that starts with / and has no spaces, at most 2000 characters"
TOPIC_PREFIX = "text without #, +, spaces and control characters, not starting with / or $, not ending with /"
ZONE_POINT = "a point [x, y], two numbers between 0 and 1: fractions of the frame's width and height"
ZONE = "a list of 3 to 100 points [x, y] around the zone"
ZonePoint = Annotated[tuple[Fraction, Fraction], Meta(description=ZONE_POINT)]
ZONES = "a list of at most 100 zones"
Zone = Annotated[tuple[ZonePoint, ...], Meta(min_length=3, max_length=100, description=ZONE)]
LEAST_AGGREGATE_S = 60.0  # seconds; a shorter summary reveals when a single person smiled
Port = Annotated[int, Meta(ge=1, le=65535)]
PlainText = Annotated[str, Meta(pattern=NO_CONTROL, description=PLAIN)]
FilePath = Annotated[str, Meta(max_length=4096, pattern=NO_CONTROL, description=PATH)]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=NO_CONTROL, description=HOST)]


def scheme_of(source: str) -> str | None:
    """Return the scheme of a URL as written; None for a device, a file or a folder."""
    found = SCHEME.match(source)
    return None if found is None else found[1]


def picamera_number(source: str) -> int | None:
    """Return the number of a Pi camera: 0 for `picamera`, 1 for `picamera:1`; None for any other source."""
    found = PICAMERA.fullmatch(source)
    return None if found is None else int(found[1] or 0)


def picamera_flaw(source: str) -> str | None:
    """Return the message on a misspelt Pi camera, such as `picamera1`; else None."""
    if picamera_number(source) is not None or MEANT_PICAMERA.fullmatch(source) is None:
        return None
    return "the Pi camera is picamera, on the second port picamera:1 (a file of that name is ./NAME)"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, keyword-only, unknown keys are errors."""


class CameraSettings(Section, frozen=True):
    """Source of the frames."""

    source: Annotated[
        Annotated[str, Meta(max_length=4096, pattern=NO_CONTROL)] | Annotated[int, Meta(ge=0, le=1000)],
        Meta(description=SOURCE),
    ] = 0
    """0, 1, ... or /dev/video0 (V4L2); rtsp:// or http:// (MJPEG); a video file; a folder of images; `picamera`,
    `picamera:1`."""
    username: PlainText = ""
    """User name of a network camera; empty: the one in `source`, if any."""
    password_file: FilePath = ""
    """Path of a file whose first line is the network camera's password; empty: systemd's credential `camera-password`,
    if any."""
    transport: Literal["auto", "tcp", "udp"] = "auto"
    """RTSP transport: `auto` tries TCP first, then UDP."""
    width: Annotated[int, Meta(ge=64, le=4096)] = 640
    """Requested frame width in pixels, 64 to 4096. Files and streams keep their own size."""
    height: Annotated[int, Meta(ge=48, le=4096)] = 480
    """Requested frame height in pixels, 48 to 4096."""
    rate_hz: Annotated[float, Meta(gt=0.0, le=120.0)] = 15.0
    """Requested frames per second, also for a folder of images; above 0, at most 120."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Clockwise rotation of each frame in degrees: 0, 90, 180 or 270."""
    loop: bool = False
    """Restart a video file or folder at its end instead of stopping the daemon."""
    stall_s: Annotated[float, Meta(ge=1.0, le=60.0)] = 4.0
    """Seconds, 1 to 60, without a frame or with identical frames, after which a live source is reopened."""
    reopen_max_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0
    """Longest wait in seconds, 1 to 3600, between two attempts to open the source."""


class DetectSettings(Section, frozen=True):
    """Face detection."""

    backend: Literal["own", "yunet", "haar"] = "own"
    """`own` is the bundled network, `yunet` needs `model`, `haar` is part of OpenCV 4."""
    model: FilePath = ""
    """Path of the YuNet ONNX file, or for `own` of another TFLite file with its model card beside it."""
    width: Annotated[int, Meta(ge=64, le=1920)] = 160
    """Width in pixels, 64 to 1920, of the frame for detection; narrower faces than 1/20 (haar 1/12) are missed."""
    score: Fraction = 0.7
    """Lowest detector score, 0 to 1, of a new face; Haar has no score."""
    every: Annotated[int, Meta(ge=1, le=30)] = 1
    """Detect in every n-th frame, 1 to 30; the tracker predicts the boxes in between."""


class TrackSettings(Section, frozen=True):
    """Association of detections with tracks."""

    iou: Fraction = 0.3
    """Least intersection over union, 0 to 1, of a detection with the predicted box."""
    score: Fraction = 0.5
    """Lowest detector score, 0 to 1, that continues a track; see `detect.score`."""
    lost_s: Annotated[float, Meta(ge=0.1, le=60.0)] = 2.0
    """Seconds, 0.1 to 60, without a detection after which a track is closed."""


class GateSettings(Section, frozen=True):
    """Quality filter before classification. Rejected faces are counted in `health`."""

    min_width_px: Annotated[int, Meta(ge=8, le=1000)] = 28
    """Least face width in pixels of the full frame, 8 to 1000."""
    min_brightness: Annotated[float, Meta(ge=0.0, le=255.0)] = 25.0
    """Least mean grey value of a face, 0 to 255."""
    min_sharpness: Annotated[float, Meta(ge=0.0, le=100000.0)] = 60.0
    """Least sharpness: variance of the Laplacian of the 48x48 crop; 0 disables the check."""
    min_inside: Fraction = 0.7
    """Least fraction of the face's box inside the frame, 0 to 1."""


class ClassifySettings(Section, frozen=True):
    """The expression network."""

    model: FilePath = "small"
    """`small` or `nano` (bundled), or the path of a TFLite file with its model card `<name>.json` beside it."""
    threads: Annotated[int, Meta(ge=1, le=8)] = 1
    """CPU threads, 1 to 8; one is fastest for networks this small."""


class Threshold(Section, frozen=True):
    """Hysteresis thresholds of one expression."""

    enter: Fraction | None = None
    """Smoothed probability, 0 to 1, above which the expression is entered; none means `decide.enter`."""
    leave: Fraction | None = None
    """Smoothed probability, 0 to 1, below which the expression is left; none means `decide.leave`."""


class DecideSettings(Section, frozen=True):
    """Event detection from scores. All times are in seconds, so 5 and 30 fps behave alike."""

    smooth_s: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.6
    """Time constant in seconds, 0 to 30, of the moving average over a face's scores; 0 disables it."""
    enter: Fraction = 0.5
    """Smoothed probability, 0 to 1, above which an expression is entered."""
    leave: Fraction = 0.35
    """Smoothed probability, 0 to 1, below which the expression is left; at most `enter`."""
    dwell_s: Seconds = 0.4
    """Seconds, 0 to 86400, an expression must stay the strongest and above `enter` before its event."""
    arrive_s: Seconds = 0.4
    """Seconds, 0 to 86400, before a face is announced; up to as long again while an expression dwells."""
    emotions: dict[Literal[EMOTIONS], Threshold] = field(default_factory=dict)  # type: ignore[valid-type]
    """Thresholds of single expressions: `{happy: {enter: 0.7}}`."""

    def thresholds(self, emotion: str) -> tuple[float, float]:
        """Return enter and leave of an expression: its own, else the general ones."""
        own = self.emotions.get(emotion, Threshold())
        return (
            self.enter if own.enter is None else own.enter,
            self.leave if own.leave is None else own.leave,
        )


class TlsSettings(Section, frozen=True):
    """TLS to the broker."""

    enabled: bool = False
    """Use TLS."""
    ca: FilePath = ""
    """Path of the CA certificate (PEM) of the broker; empty: the system's."""
    certificate: FilePath = ""
    """Path of the client certificate (PEM), if the broker requires one."""
    key: FilePath = ""
    """Path of the private key of `certificate`."""


class MqttSettings(Section, frozen=True):
    """Connection to the broker."""

    host: Host = "localhost"
    """Name or address of the broker."""
    port: Port = 1883
    """TCP port, 1 to 65535; 8883 is usual with TLS."""
    username: PlainText = ""
    """User name; empty: none."""
    password_file: FilePath = ""
    """Path of a file whose first line is the password; empty: systemd's credential `mqtt-password`, if any."""
    tls: TlsSettings = TlsSettings()
    transport: Literal["tcp", "websocket"] = "tcp"
    """`websocket` where only HTTP passes; `port` is then the broker's WebSocket port."""
    websocket_path: Annotated[str, Meta(max_length=2000, pattern=rf"^/[\x21-\x7e]*{END}", description=WEB_PATH)] = (
        "/mqtt"
    )
    """WebSocket path, starting with `/`."""
    prefix: Annotated[str, Meta(pattern=TOPIC_PATTERN, description=TOPIC_PREFIX)] = "fer_edge"
    """First part of every topic; `/` only inside, no `#`, `+` or spaces."""
    client_id: PlainText = ""
    """Client id; empty: made from prefix and device. Two clients with one id disconnect each other."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """`auto` tries MQTT 5 first and falls back to 3.1.1."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 20
    """MQTT keep-alive in seconds, 5 to 3600; a lost connection is detected after about twice that."""
    reconnect_max_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 60.0
    """Longest wait in seconds, 1 to 3600, between two connection attempts."""
    event_expiry_s: Annotated[int, Meta(ge=0, le=31536000)] = 604800
    """Seconds, 0 to 31536000, after which an undelivered event expires, here and at the broker (MQTT 5); 0: never."""
    durability: Literal["default", "strict", "memory"] = "default"
    """`default` writes unacknowledged events to disk; `strict` writes each before it is published; `memory` none."""
    queue: Annotated[int, Meta(ge=10, le=1000000)] = 10000
    """Most queued events, 10 to 1000000; beyond it the oldest are dropped and a `gap` event is published."""
    queue_mib: Annotated[int, Meta(ge=1, le=1024)] = 16
    """Most MiB of queued events, 1 to 1024, in memory and as much on disk."""
    replay_hz: Annotated[float, Meta(ge=1.0, le=100000.0)] = 200.0
    """Most events per second, 1 to 100000, while a backlog is sent."""


class PublishSettings(Section, frozen=True):
    """Intervals of messages other than events."""

    state_s: Annotated[float, Meta(ge=0.1, le=3600.0)] = 1.0
    """Least seconds, 0.1 to 3600, between two `state` messages; changes in between are merged."""
    health_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0
    """Seconds, 1 to 3600, between two `health` messages."""
    summary_s: Annotated[float, Meta(ge=10.0, le=86400.0)] = 300.0
    """Seconds, 10 to 86400, that a `summary` message covers; at least 60 where `privacy.mode` is `aggregate`."""


class RecordSettings(Section, frozen=True):
    """Scores on disk for `fer-edge tune`: numbers only, no frames."""

    enabled: bool = False
    """Record scores."""
    folder: FilePath = ""
    """Folder; empty: `record` in the state directory."""
    max_mib: Annotated[float, Meta(ge=1.0, le=10240.0)] = 64.0
    """Most MiB on disk, 1 to 10240; the oldest scores are deleted first."""
    write_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 60.0
    """Seconds, 1 to 3600, between two writes; a power cut loses as much."""


class PreviewSettings(Section, frozen=True):
    """Live web page."""

    enabled: bool = False
    """Serve the page, as `fer-edge run --preview` does. Frames then leave the device for whoever opens it."""
    address: Host = "127.0.0.1"
    """Address to listen on; any but loopback requires `token_file`."""
    port: Port = 8090
    """TCP port, 1 to 65535."""
    token_file: FilePath = ""
    """Path of a file whose first line is the access token, 16 characters or more."""
    watchers: Annotated[int, Meta(ge=1, le=50)] = 5
    """Most pages open at once, 1 to 50."""
    rate_hz: Annotated[float, Meta(ge=0.5, le=30.0)] = 10.0
    """Most frames per second, 0.5 to 30."""
    width: Annotated[int, Meta(ge=160, le=1920)] = 960
    """Most width in pixels, 160 to 1920; wider frames are scaled down."""
    minutes: Annotated[float, Meta(ge=0.0, le=60.0)] = 5.0
    """Minutes of scores in memory for the sliders, 0 to 60; about 1 MiB a minute at 15 fps."""


class PrivacySettings(Section, frozen=True):
    """Privacy mode and masks."""

    mode: Literal["full", "aggregate"] = "full"
    """`full` publishes events; `aggregate` publishes summaries only: no faces, events or state."""
    zones: Annotated[tuple[Zone, ...], Meta(max_length=100, description=ZONES)] = ()
    """At most 100 polygons, blacked out in each frame on capture: `[[[0, 0], [0.3, 0], [0.3, 1]]]`."""


class GovernorSettings(Section, frozen=True):
    """Thermal throttling."""

    hot_c: Annotated[float, Meta(ge=40.0, le=120.0)] = 80.0
    """CPU temperature in °C, 40 to 120, above which fewer frames are processed; 120 disables the check."""


class HomeAssistantSettings(Section, frozen=True):
    """Home Assistant discovery."""

    discovery: bool = False
    """Publish the MQTT discovery message, so that the device appears in Home Assistant."""
    prefix: Annotated[str, Meta(pattern=TOPIC_PATTERN, description=TOPIC_PREFIX)] = "homeassistant"
    """Discovery prefix, as configured in Home Assistant."""


class Settings(Section, frozen=True):
    """All settings of `config.yaml`."""

    device: Annotated[str, Meta(pattern=rf"^[^#+/\s{CONTROL}]{{0,100}}{END}", description=TOPIC_LEVEL)] = ""
    """Device name in topics, without `/`, `#`, `+` or spaces; empty: the host name."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Log level."""
    memory_max_mib: Annotated[int, Meta(ge=100, le=100000)] = 300
    """Memory limit in MiB, 100 to 100000; above it the daemon shuts down cleanly and systemd restarts it."""
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
