"""Text of received messages: one line each."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def time_before(payload: Mapping[str, Any] | str, now: datetime, *, live: bool) -> str:
    """Format a message's own time in the zone of ``now``, with the date if it is not today.

    In an analysed video it is the time since its start. A message without a time gets ``now`` if it is ``live``,
    otherwise `no time`.
    """
    own = "" if isinstance(payload, str) else payload.get("time", "")
    at_s = None if isinstance(payload, str) else payload.get("at_s")
    try:
        if isinstance(at_s, int | float):
            return _clock(datetime.min.replace(tzinfo=UTC) + timedelta(milliseconds=round(1000 * at_s)))
        when = datetime.fromisoformat(own).astimezone(now.tzinfo)
    except (ValueError, TypeError, OverflowError):  # of another version, or none
        if not live:
            return "no time"
        when = now
    return _clock(when) if when.date() == now.date() else f"{when:%Y-%m-%d} {_clock(when)}"


def _clock(when: datetime) -> str:
    return when.strftime("%H:%M:%S.%f")[:-3]


def describe(kind: str, payload: Mapping[str, Any] | str) -> str:
    """Return one line for a message; ``kind`` is the last part of its topic, ``payload`` its JSON or text.

    An unknown message (of a newer version) is returned as its JSON.
    """
    if isinstance(payload, str):
        return payload
    writer = _WRITERS.get(kind)
    return writer(payload) if writer else str(dict(payload))


def _event(event: Mapping[str, Any]) -> str:
    face, kind = f"face {event['face']}", event["event_type"]
    match kind:
        case "face_appeared":
            line = f"{face} appeared, {_expression(event)}"
        case "emotion_changed":
            before = event["previous"] or "unsure"
            line = f"{face} changed from {before} to {_expression(event)}, after {_number(event['duration_s']):.1f} s"
        case "face_gone":
            stayed = "" if event["duration_s"] is None else f", visible for {_number(event['duration_s']):.1f} s"
            line = f"{face} gone ({event['reason']}){stayed}"
        case "gap":
            missing = event["missing"]
            of = f" of run {missing['boot']}" if missing.get("boot") else ""
            last = "an unknown end" if missing["to"] is None else missing["to"]
            line = f"events {missing['from']} to {last}{of} are missing: {event['reason']}"
        case _:
            line = f"{face} {kind}"
    return line + (" (replayed)" if event.get("replayed") else "")


def _state(state: Mapping[str, Any]) -> str:
    faces = state["faces"]
    camera = "" if state["camera"] == "running" else f" (camera {state['camera']})"
    if not faces:
        return f"no faces{camera}"
    each = ", ".join(f"{face['face']} {_expression(face)}" for face in faces)
    return f"{len(faces)} {'face' if len(faces) == 1 else 'faces'}: {each}{camera}"


def _health(health: Mapping[str, Any]) -> str:
    latency = health["latency_ms"]
    took = f", {_number(latency['p95']):.0f} ms (p95)" if latency else ""
    return (
        f"{_number(health['frame_rate_hz']):.1f} fps{took}, {health['dropped']} dropped, "
        f"{_number(health['rss_mib']):.0f} MiB, {_number(health['cpu_percent']):.0f}% CPU"
    )


def _info(info: Mapping[str, Any]) -> str:
    return f"fer-edge {info['version']}, model {info['model']['name']}, detector {info['detector']}"


def _expression(seen: Mapping[str, Any]) -> str:
    return f"{seen['emotion']} {100 * _number(seen['confidence']):.0f}%" if seen["emotion"] else "unsure"


def _number(value: object) -> float:
    """Return a number as a float.

    Raises:
        TypeError, OverflowError: it is none, or too large; multiplied by 100, a string would be repeated.
    """
    if not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


_WRITERS = {"event": _event, "state": _state, "health": _health, "info": _info}
