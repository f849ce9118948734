"""The time that stands before a message in a list. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def time_before(payload: Mapping[str, Any] | str, now: datetime, *, live: bool) -> str:
    """When it happened by the message's own word, on the clock of ``now``'s zone; the date where it is not today.

    In an analysed video it is the time since its beginning. A message without a word of it came ``now`` where it is
    ``live``, else nobody knows.
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
