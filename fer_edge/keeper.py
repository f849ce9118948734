"""Thresholds that somebody saved on the live page: into config.yaml, or over it where that cannot be written."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from fer_edge.config import DecideSettings, Threshold, Zone
from fer_edge.errors import UserError
from fer_edge.settings_save import Unwritable, save_decide, save_zones

ANSWER_S = 10.0  # what the page waits for the main thread, which looks at it after every frame

# Takes a change over: what lies over config.yaml from now on (null takes a section back), and whether to read it again.
Adopt = Callable[[dict[str, Any], bool], None]


class Keeper:
    """`keep` belongs to the page's threads and writes the file; `serve` to the main thread, which owns the settings."""

    def __init__(self, path: Path | None, adopt: Adopt) -> None:
        self._path = path
        self._adopt = adopt
        self._wishes: SimpleQueue[tuple[dict[str, Any], bool, Future[None]]] = SimpleQueue()

    def keep(self, decide: DecideSettings, before: DecideSettings) -> str:
        """Where ``decide`` is kept now; it is in force when this returns. ``before`` is what was.

        Raises:
            UserError: the file holds mistakes, or nothing can be stored; nothing has changed.
        """
        if self._path is None:
            self._wish(over(decide, before), reread=False)
            return "memory only: there is no config.yaml"
        try:
            save_decide(self._path, decide)
        except Unwritable as error:
            self._wish(over(decide, before), reread=False)
            return f"the changes at run time, which lie over config.yaml ({error})"
        self._wish({"decide": None}, reread=True)  # what lay over the file before would hide it
        return str(self._path)

    def keep_zones(self, zones: tuple[Zone, ...]) -> str:
        """Where blackout zones are kept now; they are in force when the daemon starts again.

        Raises:
            UserError: nothing was saved; where the file may not be written, with the words to put into it by hand.
        """
        if self._path is None:
            raise UserError("there is no config.yaml to save zones to: start fer-edge with --config FILE")
        try:
            save_zones(self._path, zones)
        except Unwritable as error:
            line = msgspec.json.encode({"zones": zones}).decode()
            raise UserError(f"{error}; put this into it by hand: privacy: {line}") from error
        return str(self._path)

    def serve(self) -> None:
        """Takes over what was saved since the last call."""
        try:
            change, reread, done = self._wishes.get_nowait()
        except Empty:
            return
        try:
            self._adopt(change, reread)
        except UserError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _wish(self, change: dict[str, Any], *, reread: bool) -> None:
        done: Future[None] = Future()
        self._wishes.put((change, reread, done))
        try:
            done.result(ANSWER_S)
        except TimeoutError as error:
            raise UserError("the daemon does not answer just now; it takes the change over when it does") from error


def over(decide: DecideSettings, before: DecideSettings) -> dict[str, Any]:
    """``decide`` as a change that leads there from whatever the file says.

    An expression that has thresholds of its own on either side is given them outright: null would let the file's back.
    """
    values: dict[str, Any] = msgspec.to_builtins(decide)
    values["emotions"] = {}
    for name in sorted({*decide.emotions, *before.emotions}):
        own = decide.emotions.get(name, Threshold())
        values["emotions"][name] = {
            "enter": decide.enter if own.enter is None else own.enter,
            "leave": decide.leave if own.leave is None else own.leave,
        }
    return {"decide": values}
