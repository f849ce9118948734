from msgspec.structs import replace

from fer_edge.config.model import CameraSettings, DecideSettings, Settings, Threshold
from fer_edge.config.runtime import RELOADABLE, changed_keys, merged, needs_restart

OLD = Settings()


def test_nothing_changed_is_nothing_to_do() -> None:
    assert changed_keys(OLD, Settings()) == []


def test_thresholds_are_taken_over_and_the_camera_waits_for_a_restart() -> None:
    new = Settings(
        camera=CameraSettings(width=320),
        decide=DecideSettings(enter=0.9, emotions={"happy": Threshold(enter=0.95)}),
        log_level="debug",
    )
    changed = changed_keys(OLD, new)
    assert changed == ["log_level", "camera.width", "decide.enter", "decide.emotions"]
    assert needs_restart(changed) == ["camera.width"]
    in_force = merged(OLD, new)
    assert (in_force.decide, in_force.log_level, in_force.camera) == (new.decide, "debug", OLD.camera)


def test_every_reloadable_name_is_a_setting() -> None:
    for name in RELOADABLE:
        assert replace(OLD, **{name: getattr(OLD, name)}) == OLD
