"""How the daemon is doing: rates, latency and why faces gave no event, gathered between two health messages."""

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np

from fer_edge.daemon.host import MIB, ProcessUse, soc_temperature_c, throttled
from fer_edge.types import Outcome, Verdict


class Health(msgspec.Struct, frozen=True):
    """The figures of one window, from one health message to the next."""

    window_s: float
    uptime_s: float
    frame_rate_hz: float  # frames that were looked at, a second
    frames: int
    dropped: int  # frames the camera gave while the one before was still being looked at
    skipped: int  # frames that were not looked at because the device is too hot
    latency_ms: dict[str, float] | None  # p50, p95, p99 from capture to outbox; None without a frame
    faces: dict[str, int]  # every face in every frame, by what became of it; sums to faces_seen
    faces_seen: int
    rss_mib: float
    cpu_percent: float  # of one core
    soc_temperature_c: float | None  # None where the device does not tell
    throttled: bool | None  # None where the device does not tell


class HealthMeter:
    """Counts until `report` empties it. Not thread-safe; the main thread owns it."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._process = ProcessUse(now)
        self._dropped_before = 0
        self._begin(now)

    def frame(self, latency_s: float, verdicts: Iterable[Verdict]) -> None:
        """Counts one frame that was looked at, with the outcome of each face in it."""
        self._latencies_s.append(latency_s)
        self._outcomes.update(verdict.outcome for verdict in verdicts)

    def skip(self) -> None:
        """Counts one frame that was not looked at."""
        self._skipped += 1

    def report(self, now: float, dropped: int) -> Health:
        """The figures since the last report; ``dropped`` is the mailbox's count since the start."""
        window_s = max(now - self._window_began, 1e-9)
        use = self._process.since_last(now)
        health = Health(
            window_s=round(window_s, 3),
            uptime_s=round(now - self._started, 3),
            frame_rate_hz=round(len(self._latencies_s) / window_s, 2),
            frames=len(self._latencies_s),
            dropped=dropped - self._dropped_before,
            skipped=self._skipped,
            latency_ms=_percentiles_ms(self._latencies_s),
            faces={outcome.value: self._outcomes[outcome] for outcome in Outcome},
            faces_seen=self._outcomes.total(),
            rss_mib=round(use.rss_bytes / MIB, 1),
            cpu_percent=round(use.cpu_percent, 1),
            soc_temperature_c=soc_temperature_c(),
            throttled=throttled(),
        )
        self._dropped_before = dropped
        self._begin(now)
        return health

    def _begin(self, now: float) -> None:
        self._window_began = now
        self._skipped = 0
        self._latencies_s: list[float] = []
        self._outcomes: Counter[Outcome] = Counter()


def _percentiles_ms(latencies_s: list[float]) -> dict[str, float] | None:
    if not latencies_s:
        return None
    p50, p95, p99 = np.percentile(np.asarray(latencies_s) * 1000.0, (50, 95, 99))
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}
