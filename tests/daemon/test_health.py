import numpy as np

from fer_edge.daemon.health import HealthMeter
from fer_edge.types import Box, FaceState, Outcome


def verdict(outcome: Outcome) -> FaceState:
    return FaceState(
        face=1, box=Box(0, 0, 1, 1), emotion=None, confidence=0.2, scores=np.full(7, 1 / 7, np.float32), since=0.0,
        outcome=outcome,
    )  # fmt: skip


def test_window_counts_frames_latency_drops_and_every_face_once() -> None:
    meter = HealthMeter(now=100.0)
    for latency_s in (0.010, 0.020, 0.030):
        meter.frame(latency_s, [verdict(Outcome.HELD), verdict(Outcome.BLURRED)])
    health = meter.report(now=102.0, dropped=5)
    assert health.frame_rate_hz == 1.5
    assert health.latency_ms == {"p50": 20.0, "p95": 29.0, "p99": 29.8}
    assert health.dropped == 5
    assert (health.faces["held"], health.faces["blurred"], health.faces["unsure"]) == (3, 3, 0)
    assert sum(health.faces.values()) == health.faces_seen == 6


def test_next_window_begins_empty_and_counts_only_new_drops() -> None:
    meter = HealthMeter(now=0.0)
    meter.frame(0.01, [verdict(Outcome.HELD)])
    meter.report(now=1.0, dropped=5)
    health = meter.report(now=2.0, dropped=7)
    assert (health.frames, health.faces_seen, health.dropped, health.latency_ms) == (0, 0, 2, None)
    assert health.uptime_s == 2.0
