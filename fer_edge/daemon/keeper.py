"""Thresholds that somebody saved on the live page: into config.yaml, or over it where that cannot be written."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import msgspec

from fer_edge.config.model import DecideSettings, Threshold, Zone
from fer_edge.config.writer import Draft, Unwritable, drafted_decide, drafted_zones, locked
from fer_edge.errors import UserError

ANSWER_S = 10.0  # seconds the page waits for the main thread, which looks at it after every frame

# Puts a change in force: what is over config.yaml from now on (null takes a section back), and config.yaml as it is to
# be, which is committed in the same step.
Adopt = Callable[[dict[str, Any], Draft | None], None]


class Keeper:
    """`keep` and `keep_zones` belong to the page's threads, `serve` to the main thread, which owns the settings.

    A page's thread prepares the file, which takes long; the main thread validates what will be in force, replaces the
    file and applies it, in one step. From reading to replacing the file is locked: two saves cannot lose each other.
    """

    def __init__(self, path: Path | None, adopt: Adopt, answer_s: float = ANSWER_S) -> None:
        self._path = path
        self._answer_s = answer_s
        self._saving = Lock()
        self._adopt = adopt
        self._wishes: SimpleQueue[tuple[dict[str, Any], Draft | None, Future[None]]] = SimpleQueue()

    def keep(self, decide: DecideSettings, before: DecideSettings) -> str:
        """Where ``decide`` is kept now; it is in force when this returns. ``before`` is what was.

        Raises:
            UserError: the file holds mistakes, or nothing can be stored; nothing has changed.
        """
        if self._path is None:
            self._wish(over(decide, before), None)
            return "memory only: there is no config.yaml"
        try:
            with self._saving, locked(self._path):
                # What was over the file before would hide it.
                self._wish({"decide": None}, drafted_decide(self._path, decide))
        except Unwritable as error:
            self._wish(over(decide, before), None)
            return f"the changes at run time, which lie over config.yaml ({error})"
        return str(self._path)

    def keep_zones(self, zones: tuple[Zone, ...]) -> str:
        """Where blackout zones are kept now; they are in force when the daemon starts again.

        Raises:
            UserError: nothing was saved; where the file may not be written, with the words to put into it by hand.
        """
        if self._path is None:
            raise UserError("there is no config.yaml to save zones to: start fer-edge with --config FILE")
        try:
            with self._saving, locked(self._path):
                drafted_zones(self._path, zones).commit()
        except Unwritable as error:
            line = msgspec.json.encode({"zones": zones}).decode()
            raise UserError(f"{error}; put this into it by hand: privacy: {line}") from error
        return str(self._path)

    def serve(self) -> None:
        """Takes over what was saved since the last call."""
        try:
            change, draft, done = self._wishes.get_nowait()
        except Empty:
            return
        if not done.set_running_or_notify_cancel():
            return  # the page has given up
        try:
            self._adopt(change, draft)
        except UserError as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _wish(self, change: dict[str, Any], draft: Draft | None) -> None:
        done: Future[None] = Future()
        self._wishes.put((change, draft, done))
        try:
            done.result(self._answer_s)
        except TimeoutError as error:
            if done.cancel():
                raise UserError("the daemon does not answer just now: nothing was saved, try again") from error
            done.result(ANSWER_S)  # it is at it


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
