"""Settings that are fine alone and, beside others, are wrong or have no effect. Pure.

What would be dangerous without a word is refused (a password that goes in clear, or nowhere); what is merely without
effect is a warning.
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
LEAST_AREA = 1e-6  # of the frame; below one pixel of a 1000x1000 picture it is a line
PATIENT_PICTURES = 2.0  # for so many a live camera must be waited for, or it is taken for silent between two of them
MQTT_TEXT_BYTES = 65_535  # of a topic, a client id or a user name; MQTT 5, 1.5.4
HOST_NAME = "x" * 64  # the longest that Linux has; it is the device's name where none is set
LONGEST_TOPIC = "{prefix}/{device}/response/snapshot-state"
LONGEST_DISCOVERY = "{prefix}/device/" + 64 * "x" + "/config"
SINGLE_FACES = "shows single faces, which privacy.mode aggregate does not: switch one of the two off"


def polygon_flaw(polygon: Sequence[Point]) -> str | None:
    """What is wrong with a polygon of three points or more, None where nothing is.

    Edges that meet are refused because filling leaves holes between them, and a hole is what nobody may see into: a
    zone that is gone round twice would hide nothing at all.
    """
    ends = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    edges = [(number, edge) for number, edge in enumerate(ends, 1) if edge[0] != edge[1]]  # a point may stand twice
    for first, (number, one) in enumerate(edges):
        for second in range(first + 1, len(edges)):
            neighbours = second == first + 1 or (first == 0 and second == len(edges) - 1)
            other, crossing = edges[second]
            if not neighbours and _meet(one, crossing):
                return f"its edges {number} and {other} cross or touch: go round the zone once, point by point"
    if abs(_area(polygon)) < LEAST_AREA:
        return "it has no area: its points are one point or lie on one line"
    return None


def _area(polygon: Sequence[Point]) -> float:
    """Signed area by the shoelace formula."""
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2.0


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two edges have a point in common."""
    (a, b), (c, d) = one, other
    if not all(_overlap(a[axis], b[axis], c[axis], d[axis]) for axis in (0, 1)):
        return False
    return _side(a, b, c) * _side(a, b, d) <= 0.0 and _side(c, d, a) * _side(c, d, b) <= 0.0


def _overlap(a: float, b: float, c: float, d: float) -> bool:
    """Whether the stretches from ``a`` to ``b`` and from ``c`` to ``d`` of one axis have a point in common."""
    return min(a, b) <= max(c, d) and min(c, d) <= max(a, b)


def _side(start: Point, end: Point, point: Point) -> float:
    """Positive left of the line, negative right of it, 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def contradictions(settings: Settings) -> list[tuple[str, str]]:
    """Return the (dotted key, sentence) of each setting that cannot be used beside another; empty when all agree."""
    found: list[tuple[str, str]] = []
    decide = settings.decide
    if decide.leave > decide.enter:
        found.append(("decide.leave", f"must be at most decide.enter ({decide.enter:g}), got {decide.leave:g}"))
    for emotion, own in decide.emotions.items():
        enter = decide.enter if own.enter is None else own.enter
        leave = decide.leave if own.leave is None else own.leave
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
    """What is wrong with the camera's address, and with how seldom it is looked at."""
    found: list[tuple[str, str]] = []
    camera = settings.camera
    source = str(camera.source).strip()
    scheme = scheme_of(source)
    if not source:
        found.append(("camera.source", "is empty: name a camera, an address, a video or a folder"))
    elif scheme is not None and scheme.lower() not in STREAM_SCHEMES:
        found.append(("camera.source", f"cameras are reached by rtsp:// or http://, not by {scheme}://"))
    elif (flaw := picamera_flaw(source)) is not None:
        found.append(("camera.source", f"{flaw}, got {source}"))
    if not (source.isdecimal() or source.startswith("/dev/") or picamera_number(source) is not None):
        return found  # what has a rate of its own, or may be as slow as it likes
    least_s = PATIENT_PICTURES / camera.rate_hz
    if camera.stall_s < least_s:
        what = f"must be at least {least_s:g}, two pictures at camera.rate_hz, got {camera.stall_s:g}"
        found.append(("camera.stall_s", what))
    apart_s = settings.detect.every / camera.rate_hz
    if settings.track.lost_s < apart_s:
        what = f"must be at least {apart_s:g}, for that seldom detect.every and camera.rate_hz look for faces"
        found.append(("track.lost_s", f"{what}, got {settings.track.lost_s:g}"))
    return found


def _login_flaws(camera: CameraSettings) -> list[tuple[str, str]]:
    """A camera's user name in two places, or its password without one."""
    if camera.username and _has_login(str(camera.source)):
        return [("camera.username", "camera.source holds a user name too: take it out of the address")]
    if camera.password_file and not camera.username:
        return [("camera.password_file", "is sent with camera.username alone: set that too")]
    return []


def _has_login(source: str) -> bool:
    """Return whether an address names a user: an @ before its path."""
    _, _, rest = source.partition("://")
    return "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]


def _broker_flaws(mqtt: MqttSettings) -> list[tuple[str, str]]:
    """Means to prove who is who that would not be used."""
    found = []
    tls = mqtt.tls
    if not tls.enabled:
        without = "is used with mqtt.tls.enabled: true alone; without TLS all is sent in clear"
        found = [(f"mqtt.tls.{key}", without) for key in ("ca", "certificate", "key") if getattr(tls, key)]
    elif bool(tls.certificate) != bool(tls.key):
        found.append(("mqtt.tls.certificate", "and mqtt.tls.key belong together: set both or neither"))
    if mqtt.password_file and not mqtt.username:
        found.append(("mqtt.password_file", "is sent with mqtt.username alone: set that too"))
    return found


def _length_flaws(settings: Settings) -> list[tuple[str, str]]:
    """Texts that are longer than MQTT takes."""
    mqtt, home_assistant = settings.mqtt, settings.home_assistant
    texts = {
        "mqtt.username": mqtt.username,
        "mqtt.client_id": mqtt.client_id,
        "mqtt.prefix": LONGEST_TOPIC.format(prefix=mqtt.prefix, device=settings.device or HOST_NAME),
        "home_assistant.prefix": LONGEST_DISCOVERY.format(prefix=home_assistant.prefix),
    }
    sizes = {key: len(text.encode()) for key, text in texts.items()}
    what = f"is too long: it makes {{}} bytes of UTF-8, MQTT takes {MQTT_TEXT_BYTES}"
    return [(key, what.format(size)) for key, size in sizes.items() if size > MQTT_TEXT_BYTES]


def _host_flaws(section: str, key: str, host: str) -> list[tuple[str, str]]:
    """An address where a name belongs; two colons and more are an IPv6 address. A password is never repeated."""
    scheme = scheme_of(host)
    if scheme is not None:
        flaw = f", without {scheme}://"
    elif "@" in host:
        flaw = ", without a user name"
    elif re.search(r"\s", host):
        flaw = ", and holds a blank: take it out"
    elif re.fullmatch(r"\[.*\]", host):
        flaw = f", an IPv6 address without brackets: {host[1:-1]}"
    elif host.count(":") == 1 or re.match(r"\[.*\]:", host):
        flaw = f": the port belongs into {section}.port, got {host}"
    elif not _can_be_looked_up(host):
        flaw = ": no part of a name may be empty or longer than 63 characters"
    else:
        return []
    return [(f"{section}.{key}", f"is a name or an IP address alone{flaw}")]


def _can_be_looked_up(host: str) -> bool:
    """Return whether a name server can be asked for a name; socket.getaddrinfo raises UnicodeError where not."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def without_effect(settings: Settings) -> list[tuple[str, str]]:
    """Return the (dotted key, sentence) of each setting that differs from its default and changes nothing."""
    default = Settings()
    return [
        (f"{section}.{key}", f"has no effect {why}")
        for section, key, why in _unused(settings)
        if getattr(getattr(settings, section), key) != getattr(getattr(default, section), key)
    ]


def _unused(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Section, key and reason of all that is not looked at, whatever its value."""
    source = str(settings.camera.source).strip()
    scheme = (scheme_of(source) or "").lower()
    local = source.isdecimal() or source.startswith("/dev/") or picamera_number(source) is not None
    haar = settings.detect.backend == "haar"
    aggregate = settings.privacy.mode == "aggregate"
    table = (
        (not scheme, "camera", "username password_file", "where camera.source is no network camera"),
        (not scheme.startswith("rtsp"), "camera", "transport", "where camera.source is not rtsp://"),
        (not local, "camera", "width height", "on a network camera, video or folder: its pictures keep their size"),
        (scheme.startswith("rtsp"), "camera", "rate_hz", "on rtsp://: set the rate in the camera"),
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
