"""Whether a subscriber has every event: what docs/mqtt.md promises, checked on what arrived. Pure.

Events of one boot count up by one. The first copy of each comes in that order; a later copy is the same event under
the same id; what will never come is named by a `gap`. A span may begin anywhere: what was before it is not asked for,
except with `from_start`, which asks every boot to begin at 1.
"""

from collections.abc import Mapping
from typing import Any

from fer_edge.subscriber.audit_boot import BootAudit, BootReport


class Audit:
    """Takes events one after the other, as they arrived. Not thread-safe.

    ``from_start``: the listener was there before the daemon, so every boot must begin at 1.
    """

    def __init__(self, *, from_start: bool = False) -> None:
        self._from_start = from_start
        self._boots: dict[tuple[str, str], BootAudit] = {}
        self._latest: dict[str, str] = {}  # device -> the boot that was heard of last for the first time
        self.events = 0
        self.unreadables: list[str] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """One event's payload; what is not an event of this contract is a problem of its own."""
        self.events += 1
        try:
            device, (boot, _, seq) = event["device"], event["id"].rpartition("-")
            if (device, boot) not in self._boots:
                first = 1 if self._from_start else None
                self._boots[device, boot] = BootAudit(device, boot, first)
                self._latest[device] = boot
            missing = event["missing"]
            if missing is not None and (of := missing.get("boot", boot)) != boot:
                self._lost_track(device, of, told_by=boot)
                missing = None
            self._boots[device, boot].take(event, int(seq), missing)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            self.unreadable(f"not an event ({repr(error)[:80]}): {str(dict(event))[:80]}")

    def unreadable(self, what: str) -> None:
        """Something arrived in an event's place that is none."""
        self.unreadables.append(what)

    def reports(self) -> list[BootReport]:
        """One report a boot, in the order in which they were first heard of."""
        return [boot.report(followed=self._latest[boot.device] != boot.name) for boot in self._boots.values()]

    def problems(self) -> list[str]:
        """Everything that breaks the promise, a line each; empty when all is well."""
        found = [f"{one.device} {one.boot}: {problem}" for one in self.reports() for problem in one.problems]
        return [*self.unreadables, *found]

    def _lost_track(self, device: str, boot: str | None, told_by: str) -> None:
        """A later boot says that it cannot know how this one ended, or with None any before it."""
        for one in self._boots.values():
            if one.device == device and one.name != told_by and boot in (None, one.name):
                one.ended_unknown = True
