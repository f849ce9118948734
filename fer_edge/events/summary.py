"""Window statistics over all faces: seconds per expression, number of faces, coverage."""

from collections.abc import Callable, Sequence

from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import Decision
from fer_edge.types import Event, Face, FaceState, Frame, Outcome, SummaryWindow

# Longest time that one frame counts for. The rest of a longer gap between frames is not covered.
LONGEST_STEP_S = 1.0


class SummaryAccumulator:
    """Sums the expressions of announced faces until the window is closed; the next window starts there.

    Not thread-safe; the main thread owns it. Between two frames the states of the earlier one hold.
    """

    def __init__(self, now: float) -> None:
        self._states: tuple[FaceState, ...] = ()
        self._counted = now  # time up to which everything is counted
        self._valid_until = now  # time up to which the latest frame holds
        self._begin(now)

    def add(self, states: Sequence[FaceState], now: float) -> None:
        """Add one frame; faces that are not announced yet are left out. Not for ticks."""
        self._count(now)
        self._valid_until = now + LONGEST_STEP_S
        self._states = tuple(state for state in states if state.outcome is not Outcome.ARRIVING)
        self._faces.update(state.face for state in self._states)

    def close(self, now: float) -> SummaryWindow:
        """Return the window that ends now. Faces that are still present also count in the next one."""
        self._count(now)
        length_s = now - self._started
        window = SummaryWindow(
            started=self._started,
            ended=now,
            dwell_s=dict(self._dwell_s),
            unsure_s=self._unsure_s,
            faces=len(self._faces),
            coverage=min(self._covered_s / length_s, 1.0) if length_s > 0.0 else 0.0,
        )
        self._begin(now)
        return window

    def _begin(self, now: float) -> None:
        self._started = now
        self._dwell_s = dict.fromkeys(EMOTIONS, 0.0)
        self._unsure_s = 0.0
        self._covered_s = 0.0
        self._faces: set[int] = set()

    def _count(self, now: float) -> None:
        """Credit the time since the latest count to the states of that time."""
        step_s = min(now, self._valid_until) - self._counted
        self._counted = max(now, self._counted)
        if step_s <= 0.0:
            return
        self._covered_s += step_s
        for state in self._states:
            self._faces.add(state.face)
            if state.emotion is None:
                self._unsure_s += step_s
            else:
                self._dwell_s[state.emotion] += step_s


class SummaryScheduler:
    """Closes a window every ``length_s`` and passes it to ``publish``. Not thread-safe; the main thread owns it."""

    def __init__(
        self, publish: Callable[[SummaryWindow], None], length_s: float, now: float, least_s: float = 0.0
    ) -> None:
        """A last window shorter than ``least_s`` is not published."""
        self.length_s = length_s
        self._least_s = least_s
        self._publish = publish
        self._summary = SummaryAccumulator(now)
        self._began = now

    def on_frame(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Add a frame."""
        self._summary.add(decision.states, now)
        self._close_if_due(now)

    def on_tick(self, _decision: Decision, now: float) -> None:
        """Close the window if it is over."""
        self._close_if_due(now)

    def on_close(self, _events: Sequence[Event], _reason: str, now: float) -> None:
        """Close the window if it is over; else it continues without faces."""
        self._close_if_due(now)

    def end(self, now: float) -> None:
        """Close the last window, which is shorter than the others."""
        if now > self._began and now - self._began >= self._least_s:
            self._close(now)

    def _close_if_due(self, now: float) -> None:
        if now - self._began >= self.length_s:
            self._close(now)

    def _close(self, now: float) -> None:
        self._publish(self._summary.close(now))
        self._began = now
