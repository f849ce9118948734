from collections.abc import Mapping

from fer_edge.daemon.status import StatusPart, status_line
from fer_edge.service.status import hint_for, status_text, watch_start

CAMERA, BROKER, FRAMES = (StatusPart(name, ok=True, text="fine") for name in ("camera", "broker", "frames"))
NO_CAMERA = StatusPart("camera", ok=False, text="lost")
NO_FRAMES = StatusPart("frames", ok=False, text="none yet")


class FakeService:
    """A service with the given states in turn, the last one repeated, and a clock that advances by waiting."""

    def __init__(self, *states: tuple[str, list[StatusPart]]) -> None:
        self._states = list(states)
        self.now = 0.0

    def show(self) -> Mapping[str, str]:
        active, parts = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"ActiveState": active, "StatusText": status_line(parts)}

    def reported(self) -> list[StatusPart]:
        return list(watch_start(self.show, lambda: self.now, self._wait))

    def _wait(self, seconds: float) -> None:
        self.now += seconds


def test_each_part_is_reported_once_it_is_ok_and_the_watch_ends_with_the_last() -> None:
    service = FakeService(
        ("active", [NO_CAMERA, BROKER, NO_FRAMES]),
        ("active", [CAMERA, BROKER, NO_FRAMES]),
        ("active", [CAMERA, BROKER, FRAMES]),
    )
    assert service.reported() == [BROKER, CAMERA, FRAMES]
    assert service.now == 1.0


def test_part_that_stays_not_ok_is_reported_at_the_timeout() -> None:
    service = FakeService(("active", [NO_CAMERA, BROKER]))
    assert service.reported() == [BROKER, NO_CAMERA]
    assert service.now == 20.0


def test_watch_ends_when_the_service_is_not_active() -> None:
    service = FakeService(("active", [NO_CAMERA]), ("failed", [NO_CAMERA]))
    assert service.reported() == [NO_CAMERA]
    assert service.now == 0.5


def test_lines_are_aligned_and_only_parts_that_wait_have_a_hint() -> None:
    assert status_text(CAMERA) == "ok      camera    fine"
    assert status_text(NO_CAMERA) == "waiting camera    lost"
    assert hint_for(CAMERA) is None
    assert "camera.source" in (hint_for(NO_CAMERA) or "")
    assert hint_for(StatusPart("frames", ok=False, text="none yet")) is None
