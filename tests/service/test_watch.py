from collections.abc import Mapping

from fer_edge.daemon.status import StatusPart, status_line
from fer_edge.service.status import cure_for, status_text, watch_start

CAMERA, BROKER, PICTURES = (StatusPart(name, ok=True, text="fine") for name in ("camera", "broker", "pictures"))
NO_CAMERA = StatusPart("camera", ok=False, text="lost")
NO_PICTURES = StatusPart("pictures", ok=False, text="none yet")


class Story:
    """A service that shows one state after the other, the last for ever, and a clock that moves when somebody waits."""

    def __init__(self, *states: tuple[str, list[StatusPart]]) -> None:
        self._states = list(states)
        self.now = 0.0

    def show(self) -> Mapping[str, str]:
        active, parts = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"ActiveState": active, "StatusText": status_line(parts)}

    def told(self) -> list[StatusPart]:
        return list(watch_start(self.show, lambda: self.now, self._wait))

    def _wait(self, seconds: float) -> None:
        self.now += seconds


def test_each_part_is_told_once_when_it_is_well_and_the_watch_ends_with_the_last() -> None:
    story = Story(
        ("active", [NO_CAMERA, BROKER, NO_PICTURES]),
        ("active", [CAMERA, BROKER, NO_PICTURES]),
        ("active", [CAMERA, BROKER, PICTURES]),
    )
    assert story.told() == [BROKER, CAMERA, PICTURES]
    assert story.now == 1.0


def test_what_does_not_get_well_is_told_at_the_end_of_the_wait() -> None:
    story = Story(("active", [NO_CAMERA, BROKER]))
    assert story.told() == [BROKER, NO_CAMERA]
    assert story.now == 20.0


def test_service_that_ends_is_not_waited_for() -> None:
    story = Story(("active", [NO_CAMERA]), ("failed", [NO_CAMERA]))
    assert story.told() == [NO_CAMERA]
    assert story.now == 0.5


def test_lines_are_aligned_and_only_what_waits_has_a_cure() -> None:
    assert status_text(CAMERA) == "ok      camera    fine"
    assert status_text(NO_CAMERA) == "waiting camera    lost"
    assert cure_for(CAMERA) is None
    assert "camera.source" in (cure_for(NO_CAMERA) or "")
    assert cure_for(StatusPart("pictures", ok=False, text="none yet")) is None
