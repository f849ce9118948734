"""Settings that are fine alone and wrong beside another."""

import re

from fer_edge.config import LEAST_AGGREGATE_S, CameraSettings, MqttSettings, Settings
from fer_edge.polygons import flaw_of
from fer_edge.source_scheme import STREAM_SCHEMES, picamera_flaw, picamera_number, scheme_of

PATIENT_PICTURES = 2.0  # for so many a live camera must be waited for, or it is taken for silent between two of them
SINGLE_FACES = "shows single faces, which privacy.mode aggregate does not: switch one of the two off"


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
    found += _source_flaws(settings) + _login_flaws(settings.camera) + _host_flaws(settings.mqtt)
    if settings.detect.backend == "yunet" and not settings.detect.model:
        found.append(("detect.model", "must name the YuNet ONNX file when detect.backend is yunet"))
    tls = settings.mqtt.tls
    if bool(tls.certificate) != bool(tls.key):
        found.append(("mqtt.tls.certificate", "and mqtt.tls.key belong together: set both or neither"))
    for index, zone in enumerate(settings.privacy.zones):
        flaw = flaw_of(zone)
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


def _host_flaws(mqtt: MqttSettings) -> list[tuple[str, str]]:
    """An address where a name belongs; two colons and more are an IPv6 address."""
    if "://" in mqtt.host:
        return [("mqtt.host", f"is a name or an IP address alone, without {mqtt.host.partition('://')[0]}://")]
    if mqtt.host.count(":") == 1:
        return [("mqtt.host", f"is a name or an IP address alone: the port belongs into mqtt.port, got {mqtt.host}")]
    return []
