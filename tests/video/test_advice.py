"""Hints for videos without results, naming the setting."""

import pytest

from fer_edge.config.model import CameraSettings, DetectSettings, GateSettings, PrivacySettings, Settings
from fer_edge.video.command import hint_for, mask_warning
from fer_edge.video.statistics import Report

SETTINGS = Settings(detect=DetectSettings(width=224), gates=GateSettings(min_width_px=40))


def report(**outcomes: int) -> Report:
    return Report(source="clip.mp4", frames=100, outcomes=outcomes)


def test_hint_without_faces_names_detect_width() -> None:
    assert hint_for(report(held=0), SETTINGS) == (
        "no face was found. With detect.width 224 faces below 1/12 of the frame's width are missed"
    )


def test_hint_for_rejected_faces_names_the_commonest_reason_and_its_setting() -> None:
    assert hint_for(report(held=30, dark=20, too_small=60), SETTINGS) == (
        "most faces were not classified: 60 of 110 (over all frames) too small (gates.min_width_px: 40)"
    )


def test_single_rejected_face_gives_the_hint() -> None:
    hint = hint_for(report(dark=1), SETTINGS) or ""
    assert hint.startswith("most faces were not classified: 1 of 1 (over all frames) too dark")


@pytest.mark.parametrize("outcomes", [{"held": 50, "blurred": 50}, {"unsure": 10}, {"held": 3}])
def test_there_is_no_hint_if_half_of_the_faces_are_classified(outcomes: dict[str, int]) -> None:
    assert hint_for(report(**outcomes), SETTINGS) is None


def test_there_is_no_hint_for_a_failed_video() -> None:
    assert hint_for(Report(source="clip.mp4", failure="clip.mp4: the file is empty"), SETTINGS) is None


ZONE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(("rotate", "zones", "warns"), [(90, (ZONE,), True), (0, (ZONE,), False), (90, (), False)])
def test_zones_of_a_rotated_camera_give_a_warning(rotate, zones, warns) -> None:
    settings = Settings(camera=CameraSettings(rotate=rotate), privacy=PrivacySettings(zones=zones))
    assert (mask_warning(settings) is not None) == warns
