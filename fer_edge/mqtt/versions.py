"""Which MQTT version to try first: 5, then 3.1.1, and what worked is remembered. Pure."""

from typing import Literal

Version = Literal["5", "3.1.1"]

# A broker that was merely too slow for MQTT 5 once is asked again at the next connect after this long.
REMEMBERED_S = 3600.0


class Versions:
    """Not thread-safe; the link's thread owns it. ``wanted`` is the setting `mqtt.protocol`."""

    def __init__(self, wanted: Literal["auto", "5", "3.1.1"]) -> None:
        self._order: tuple[Version, ...] = ("5", "3.1.1") if wanted == "auto" else (wanted,)
        self._worked: Version | None = None
        self._worked_at = float("-inf")

    def order(self, now: float) -> tuple[Version, ...]:
        """What to try at one attempt, the first that is answered wins."""
        if self._worked is None or (self._worked == "3.1.1" and now - self._worked_at >= REMEMBERED_S):
            return self._order
        return (self._worked, *(version for version in self._order if version != self._worked))

    def answered(self, version: Version, now: float) -> None:
        """The broker accepted a connection in ``version``."""
        # After REMEMBERED_S MQTT 5 was tried before it, in vain: that too is remembered, or each connect would try it.
        if self._worked != version or now - self._worked_at >= REMEMBERED_S:
            self._worked, self._worked_at = version, now
