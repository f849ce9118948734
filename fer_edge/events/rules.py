"""The settings as decide works with them: thresholds for each of the seven, all times in seconds."""

import msgspec

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.emotions import EMOTIONS

# A microsecond of grace wherever a sum of frame intervals must reach a limit: ten times 0.05 s must be 0.5 s.
GRACE_S = 1e-6


class Rules(msgspec.Struct, frozen=True):
    """What turns evidence into events."""

    enter: tuple[float, ...]  # in the order of labels.EMOTIONS
    leave: tuple[float, ...]
    smooth_s: float
    dwell_s: float
    arrive_s: float
    lost_s: float

    @property
    def forget_s(self) -> float:
        """Seconds without a score after which nothing is believed: as long as a face may be out of sight."""
        return max(self.lost_s, self.dwell_s)


def make_rules(settings: DecideSettings, lost_s: float) -> Rules:
    """The rules that ``settings`` mean, with the thresholds of single expressions filled in."""
    own = [settings.emotions.get(emotion, Threshold()) for emotion in EMOTIONS]
    return Rules(
        enter=tuple(settings.enter if one.enter is None else one.enter for one in own),
        leave=tuple(settings.leave if one.leave is None else one.leave for one in own),
        smooth_s=settings.smooth_s,
        dwell_s=settings.dwell_s,
        arrive_s=settings.arrive_s,
        lost_s=lost_s,
    )
