"""The newest message of each retained topic, kept for as long as the daemon runs: a broker may come back empty."""

from collections.abc import Iterator, Sequence

import msgspec

from fer_edge.deliver.parcel import Parcel
from fer_edge.values import Message


class _Kept(msgspec.Struct, eq=False):
    message: Message
    due: bool = True
    key: int | None = None


class Retained:
    """Not thread-safe; the outbox owns it. ``first`` names topics in the order they are sent in, others follow."""

    def __init__(self, first: Sequence[str], keys: Iterator[int]) -> None:
        self._kept: dict[str, _Kept | None] = dict.fromkeys(first)
        self._keys = keys

    def put(self, message: Message) -> None:
        """Replaces what was known of the topic."""
        self._kept[message.topic] = _Kept(message)

    def recall(self) -> None:
        """A link is there: everything is due once more."""
        for kept in self._present():
            kept.due, kept.key = True, None

    def repeat(self, topics: Sequence[str]) -> None:
        """Those of ``topics`` that are known are due once more."""
        for kept in self._present():
            if kept.message.topic in topics:
                kept.due, kept.key = True, None

    def forget_passing(self) -> None:
        """The link ended: drops what is of QoS 0, for it would be old when it arrived."""
        for kept in self._present():
            if not kept.message.qos:
                self._kept[kept.message.topic] = None

    def due(self, room: int) -> list[Parcel]:
        """What is to be sent, at most ``room``; from here on it is on its way."""
        waiting = [kept for kept in self._present() if kept.due][:room]
        for kept in waiting:
            kept.due = False
            if kept.message.qos:
                kept.key = next(self._keys)
            else:
                self._kept[kept.message.topic] = None
        return [Parcel(kept.key, kept.message) for kept in waiting]

    def answered(self, key: int) -> None:
        """The broker has taken or refused it; it stays for the next connect. Silent where something newer was put."""
        for kept in self._present():
            if kept.key == key:
                kept.key = None

    def idle(self) -> bool:
        """Whether nothing is on its way and nothing is due."""
        return not any(kept.due or kept.key is not None for kept in self._present())

    def _present(self) -> list[_Kept]:
        return [kept for kept in self._kept.values() if kept is not None]
