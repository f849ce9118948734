"""What a window of time amounts to, without saying who: seconds per expression, faces seen, how much was watched."""

from collections.abc import Callable, Sequence

from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import Decision
from fer_edge.types import Event, Face, FaceState, Frame, Outcome, SummaryWindow

# One frame vouches for at most this long. A longer silence of the camera counts as not watched from there on.
LONGEST_STEP_S = 1.0


class SummaryAccumulator:
    """Adds up what is held of the announced faces until the window is closed; the next one starts there.

    Not thread-safe; the main thread owns it. Between two frames the verdicts of the earlier one hold.
    """

    def __init__(self, now: float) -> None:
        self._verdicts: tuple[FaceState, ...] = ()
        self._counted = now  # time up to which all is counted
        self._vouched = now  # time up to which the latest frame holds
        self._begin(now)

    def add(self, verdicts: Sequence[FaceState], now: float) -> None:
        """Counts one frame that was looked at; those that are only arriving are left out. Not for ticks."""
        self._count(now)
        self._vouched = now + LONGEST_STEP_S
        self._verdicts = tuple(verdict for verdict in verdicts if verdict.outcome is not Outcome.ARRIVING)
        self._faces.update(verdict.face for verdict in self._verdicts)

    def close(self, now: float) -> SummaryWindow:
        """The window that ends now. Faces that are still there are counted in the next one as well."""
        self._count(now)
        length_s = now - self._started
        window = SummaryWindow(
            started=self._started,
            ended=now,
            dwell_s=dict(self._dwell_s),
            unsure_s=self._unsure_s,
            faces=len(self._faces),
            coverage=min(self._watched_s / length_s, 1.0) if length_s > 0.0 else 0.0,
        )
        self._begin(now)
        return window

    def _begin(self, now: float) -> None:
        self._started = now
        self._dwell_s = dict.fromkeys(EMOTIONS, 0.0)
        self._unsure_s = 0.0
        self._watched_s = 0.0
        self._faces: set[int] = set()

    def _count(self, now: float) -> None:
        """Credits the time since the latest count to what was held in it."""
        step_s = min(now, self._vouched) - self._counted
        self._counted = max(now, self._counted)
        if step_s <= 0.0:
            return
        self._watched_s += step_s
        for verdict in self._verdicts:
            self._faces.add(verdict.face)
            if verdict.emotion is None:
                self._unsure_s += step_s
            else:
                self._dwell_s[verdict.emotion] += step_s


class SummaryScheduler:
    """Not thread-safe; the main thread owns it. ``tell`` gets each window that is over, ``length_s`` is theirs."""

    def __init__(
        self, tell: Callable[[SummaryWindow], None], length_s: float, now: float, least_s: float = 0.0
    ) -> None:
        """A last window of less than ``least_s`` is not told."""
        self.length_s = length_s
        self._least_s = least_s
        self._tell = tell
        self._summary = SummaryAccumulator(now)
        self._began = now

    def on_frame(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Counts a frame."""
        self._summary.add(decision.verdicts, now)
        self._pass(now)

    def on_tick(self, _decision: Decision, now: float) -> None:
        """Time passes without a frame."""
        self._pass(now)

    def on_close(self, _events: Sequence[Event], _reason: str, now: float) -> None:
        """Nobody is there any more; the window goes on."""
        self._pass(now)

    def end(self, now: float) -> None:
        """Closes the last window, which is shorter than the others."""
        if now > self._began and now - self._began >= self._least_s:
            self._close(now)

    def _pass(self, now: float) -> None:
        if now - self._began >= self.length_s:
            self._close(now)

    def _close(self, now: float) -> None:
        self._tell(self._summary.close(now))
        self._began = now
