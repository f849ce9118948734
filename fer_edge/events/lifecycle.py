"""Who came, whose expression changed, who left: the scored faces of each frame in, events out."""

from collections.abc import Sequence

import msgspec

from fer_edge.config.model import DecideSettings
from fer_edge.events.rules import GRACE_S, make_rules
from fer_edge.events.visit import Visit, arrived, ended, stayed, told, verdict
from fer_edge.types import Event, Face, Outcome, Verdict


class Decision(msgspec.Struct, frozen=True):
    """What one frame, or the time between frames, amounts to."""

    events: tuple[Event, ...]
    verdicts: tuple[Verdict, ...]  # of all faces that are present, in this frame or seen less than lost_s ago
    in_frame: tuple[Verdict, ...]  # of the faces of this very frame, one each: their outcomes sum up to the faces seen

    @property
    def announced(self) -> tuple[Verdict, ...]:
        """The verdicts that `state` shows: of faces that have been announced and have not been said to be gone."""
        return tuple(one for one in self.verdicts if one.outcome is not Outcome.ARRIVING)


class Decider:
    """Follows each face and says what happened to it.

    Not thread-safe; the main thread owns it. ``now`` is monotonic seconds and does not run backwards. A face is
    known by its track id; what is kept of it goes when it does.
    """

    def __init__(self, settings: DecideSettings, lost_s: float) -> None:
        self._visits: dict[int, Visit] = {}
        self.reconfigure(settings, lost_s)

    def update(self, faces: Sequence[Face], now: float) -> Decision:
        """What follows from a frame of the moment ``now`` with ``faces`` in it, each id once.

        A face that is not in it ends once ``lost_s`` have passed since it was last detected. With no faces at all
        this is also the tick that a camera without frames needs, so that its faces end in time.
        """
        seen = {face.id for face in faces}
        events = self._ended(seen, now)
        for face in faces:
            before = self._visits.get(face.id)
            after = arrived(face, now, self._rules) if before is None else stayed(before, face, now, self._rules)
            self._visits[face.id] = after
            events.extend(told(before, after))
        verdicts = {track: verdict(visit) for track, visit in self._visits.items()}
        return Decision(
            events=tuple(events),
            verdicts=tuple(verdicts.values()),
            in_frame=tuple(verdicts[face.id] for face in faces),
        )

    def close(self, now: float, reason: str) -> tuple[Event, ...]:
        """The end of every face, for ``reason`` `stopped` or `camera`; nobody is left, and it can go on afresh."""
        events = [event for visit in self._visits.values() for event in ended(visit, now, reason)]
        self._visits.clear()
        return tuple(events)

    def reconfigure(self, settings: DecideSettings, lost_s: float) -> None:
        """Goes on with other settings: all evidence stays, the next frame's verdicts are derived by the new rules.

        What is held stays held where it reaches its new leave threshold; else it is given up after the new dwell.
        """
        self._rules = make_rules(settings, lost_s)

    def _ended(self, seen: set[int], now: float) -> list[Event]:
        """The events of the faces that are gone by now, which are dropped."""
        gone = [
            track
            for track, visit in self._visits.items()
            if track not in seen and now - visit.face.last_seen >= self._rules.lost_s - GRACE_S
        ]
        return [event for track in gone for event in ended(self._visits.pop(track), now, "left")]
