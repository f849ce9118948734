"""Cross-field rules: settings that contradict each other, and settings without effect. Pure.

Contradictions are errors (a password sent in clear, or not at all); settings without effect are warnings.
"""

import re
from collections.abc import Iterator, Sequence

from fer_edge.config.model import (
    LEAST_AGGREGATE_S,
    STREAM_SCHEMES,
    CameraSettings,
    MqttSettings,
    Settings,
    picamera_flaw,
    picamera_number,
    scheme_of,
)

Point = tuple[float, float]
LEAST_AREA = 1e-6  # of the frame: one pixel of 1000x1000
MIN_STALL_FRAMES = 2.0  # a shorter stall_s would fire between two frames of a working camera
MQTT_TEXT_BYTES = 65_535  # of a topic, a client id or a user name; MQTT 5, 1.5.4
HOST_NAME = "x" * 64  # longest host name on Linux, the default of `device`
LONGEST_TOPIC = "{prefix}/{device}/response/snapshot-state"
LONGEST_DISCOVERY = "{prefix}/device/" + 64 * "x" + "/config"
SINGLE_FACES = "shows single faces, which privacy.mode aggregate excludes: disable one of the two"


def polygon_flaw(polygon: Sequence[Point]) -> str | None:
    """Return the fault of a polygon of three points or more, None without one.

    Crossing edges are refused because even-odd filling leaves unmasked holes; a polygon traced twice masks nothing.
    """
    ends = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    edges = [(number, edge) for number, edge in enumerate(ends, 1) if edge[0] != edge[1]]  # points may repeat
    for first, (number, one) in enumerate(edges):
        for second in range(first + 1, len(edges)):
            neighbours = second == first + 1 or (first == 0 and second == len(edges) - 1)
            other, crossing = edges[second]
            if not neighbours and _meet(one, crossing):
                return f"its edges {number} and {other} cross or touch: list the corners once, in order"
    if abs(_area(polygon)) < LEAST_AREA:
        return "it has no area: all points are equal or on one line"
    return None


def _area(polygon: Sequence[Point]) -> float:
    """Signed area by the shoelace formula."""
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2.0


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Return whether two edges intersect."""
    (a, b), (c, d) = one, other
    if not all(_overlap(a[axis], b[axis], c[axis], d[axis]) for axis in (0, 1)):
        return False
    return _side(a, b, c) * _side(a, b, d) <= 0.0 and _side(c, d, a) * _side(c, d, b) <= 0.0


def _overlap(a: float, b: float, c: float, d: float) -> bool:
    """Return whether the intervals ``a`` to ``b`` and ``c`` to ``d`` overlap."""
    return min(a, b) <= max(c, d) and min(c, d) <= max(a, b)


def _side(start: Point, end: Point, point: Point) -> float:
    """Return a positive value left of the line, a negative one right of it, 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return the (dotted key, message) of each setting that contradicts another."""
    found: list[tuple[str, str]] = []
    decide = settings.decide
    if decide.leave > decide.enter:
        found.append(("decide.leave", f"must be at most decide.enter ({decide.enter:g}), got {decide.leave:g}"))
    for emotion, own in decide.emotions.items():
        enter, leave = decide.thresholds(emotion)
        if leave > enter:
            key = f"decide.emotions.{emotion}" + (".leave" if own.leave is not None else ".enter")
            found.append((key, f"leave ({leave:g}) must be at most enter ({enter:g}) for {emotion}"))
    found += _source_flaws(settings) + _login_flaws(settings.camera)
    found += _host_flaws("mqtt", "host", settings.mqtt.host) + _host_flaws(
        "preview", "address", settings.preview.address
    )
    found += _broker_flaws(settings.mqtt) + _length_flaws(settings)
    if settings.detect.backend == "yunet" and not settings.detect.model:
        found.append(("detect.model", "must name the YuNet ONNX file when detect.backend is yunet"))
    for index, zone in enumerate(settings.privacy.zones):
        flaw = polygon_flaw(zone)
        if flaw is not None:
            found.append((f"privacy.zones[{index}]", flaw))
    if settings.privacy.mode == "aggregate" and settings.publish.summary_s < LEAST_AGGREGATE_S:
        what = f"must be at least {LEAST_AGGREGATE_S:g} where privacy.mode is aggregate"
        found.append(("publish.summary_s", f"{what}, got {settings.publish.summary_s:g}"))
    if settings.privacy.mode == "aggregate":
        found += [(f"{key}.enabled", SINGLE_FACES) for key in ("preview", "record") if getattr(settings, key).enabled]
    return found


def _source_flaws(settings: Settings) -> list[tuple[str, str]]:
    """Return the faults of the camera's source and of the intervals that depend on its frame rate."""
    found: list[tuple[str, str]] = []
    camera = settings.camera
    source = str(camera.source).strip()
    scheme = scheme_of(source)
    if not source:
        found.append(("camera.source", "is empty: set a camera, a URL, a video or a folder"))
    elif scheme is not None and scheme.lower() not in STREAM_SCHEMES:
        found.append(("camera.source", f"must be rtsp:// or http://, not {scheme}://"))
    elif (flaw := picamera_flaw(source)) is not None:
        found.append(("camera.source", f"{flaw}, got {source}"))
    if not (source.isdecimal() or source.startswith("/dev/") or picamera_number(source) is not None):
        return found  # streams and files set their own rate
    least_s = MIN_STALL_FRAMES / camera.rate_hz
    if camera.stall_s < least_s:
        what = f"must be at least {least_s:g}, two frames at camera.rate_hz, got {camera.stall_s:g}"
        found.append(("camera.stall_s", what))
    apart_s = settings.detect.every / camera.rate_hz
    if settings.track.lost_s < apart_s:
        what = f"must be at least {apart_s:g}, the detection interval by detect.every and camera.rate_hz"
        found.append(("track.lost_s", f"{what}, got {settings.track.lost_s:g}"))
    return found


def _login_flaws(camera: CameraSettings) -> list[tuple[str, str]]:
    """Return the faults of a camera's user name and password."""
    if camera.username and _has_login(str(camera.source)):
        return [("camera.username", "camera.source contains a user name too: remove it from the URL")]
    if camera.password_file and not camera.username:
        return [("camera.password_file", "has no effect without camera.username: set it too")]
    return []


def _has_login(source: str) -> bool:
    """Return whether a URL contains a user name: an @ before its path."""
    _, _, rest = source.partition("://")
    return "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]


def _broker_flaws(mqtt: MqttSettings) -> list[tuple[str, str]]:
    """Return the faults of TLS files and password."""
    found = []
    tls = mqtt.tls
    if not tls.enabled:
        without = "has no effect without mqtt.tls.enabled: true; without TLS everything is sent in clear"
        found = [(f"mqtt.tls.{key}", without) for key in ("ca", "certificate", "key") if getattr(tls, key)]
    elif bool(tls.certificate) != bool(tls.key):
        found.append(("mqtt.tls.certificate", "and mqtt.tls.key belong together: set both or neither"))
    if mqtt.password_file and not mqtt.username:
        found.append(("mqtt.password_file", "has no effect without mqtt.username: set it too"))
    return found


def _length_flaws(settings: Settings) -> list[tuple[str, str]]:
    """Return the faults of texts above MQTT's limit."""
    mqtt, home_assistant = settings.mqtt, settings.home_assistant
    texts = {
        "mqtt.username": mqtt.username,
        "mqtt.client_id": mqtt.client_id,
        "mqtt.prefix": LONGEST_TOPIC.format(prefix=mqtt.prefix, device=settings.device or HOST_NAME),
        "home_assistant.prefix": LONGEST_DISCOVERY.format(prefix=home_assistant.prefix),
    }
    sizes = {key: len(text.encode()) for key, text in texts.items()}
    what = f"is too long: {{}} bytes of UTF-8, the limit of MQTT is {MQTT_TEXT_BYTES}"
    return [(key, what.format(size)) for key, size in sizes.items() if size > MQTT_TEXT_BYTES]


def _host_flaws(section: str, key: str, host: str) -> list[tuple[str, str]]:
    """Return the faults of a host; two colons or more are an IPv6 address. A password is not repeated."""
    scheme = scheme_of(host)
    if scheme is not None:
        flaw = f", without {scheme}://"
    elif "@" in host:
        flaw = ", without a user name"
    elif re.search(r"\s", host):
        flaw = " without spaces"
    elif re.fullmatch(r"\[.*\]", host):
        flaw = f", an IPv6 address without brackets: {host[1:-1]}"
    elif host.count(":") == 1 or re.match(r"\[.*\]:", host):
        flaw = f": the port belongs in {section}.port, got {host}"
    elif not _is_host_name(host):
        flaw = ": no part of a name may be empty or longer than 63 characters"
    else:
        return []
    return [(f"{section}.{key}", f"must be only a host name or an IP address{flaw}")]


def _is_host_name(host: str) -> bool:
    """Return whether IDNA can encode a name; socket.getaddrinfo raises UnicodeError for others."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def without_effect(settings: Settings) -> list[tuple[str, str]]:
    """Return the (dotted key, message) of each setting that differs from its default and has no effect."""
    default = Settings()
    return [
        (f"{section}.{key}", f"has no effect {why}")
        for section, key, why in _unused(settings)
        if getattr(getattr(settings, section), key) != getattr(getattr(default, section), key)
    ]


def _unused(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (section, key, reason) of each unused setting, whatever its value."""
    source = str(settings.camera.source).strip()
    scheme = (scheme_of(source) or "").lower()
    local = source.isdecimal() or source.startswith("/dev/") or picamera_number(source) is not None
    haar = settings.detect.backend == "haar"
    aggregate = settings.privacy.mode == "aggregate"
    table = (
        (not scheme, "camera", "username password_file", "unless camera.source is a network camera"),
        (not scheme.startswith("rtsp"), "camera", "transport", "unless camera.source is rtsp://"),
        (not local, "camera", "width height", "on a network camera, video or folder: frames keep their size"),
        (scheme.startswith("rtsp"), "camera", "rate_hz", "on rtsp://: set the frame rate in the camera"),
        (local or bool(scheme), "camera", "loop", "on a camera"),
        (haar, "detect", "model", "where detect.backend is haar"),
        (haar, "detect", "score", "where detect.backend is haar, which has no score"),
        (haar, "track", "score", "where detect.backend is haar, which has no score"),
        (settings.mqtt.transport == "tcp", "mqtt", "websocket_path", "where mqtt.transport is tcp"),
        (aggregate, "mqtt", "durability", "where privacy.mode is aggregate: summaries are never on disk"),
        (aggregate, "publish", "state_s", "where privacy.mode is aggregate, which has no state"),
        (not settings.record.enabled, "record", "folder max_mib write_s", "without record.enabled: true"),
    )
    for unused, section, keys, why in table:
        if unused:
            for key in keys.split():
                yield section, key, why
