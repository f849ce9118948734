"""Who gets nothing out of a video is told which setting it was."""

import pytest

from fer_edge.config.model import CameraSettings, DetectSettings, GateSettings, PrivacySettings, Settings
from fer_edge.video.command import hint_for, mask_warning
from fer_edge.video.statistics import Report

SETTINGS = Settings(detect=DetectSettings(width=224), gates=GateSettings(min_width_px=40))


def report(**outcomes: int) -> Report:
    return Report(source="clip.mp4", frames=100, outcomes=outcomes)


def test_no_face_at_all_names_the_width_that_is_searched() -> None:
    assert hint_for(report(held=0), SETTINGS) == (
        "no face was found. Are they small? detect.width 224 misses those below 1/12 of the picture"
    )


def test_most_faces_refused_names_the_commonest_reason_and_its_setting() -> None:
    assert hint_for(report(held=30, dark=20, too_small=60), SETTINGS) == (
        "most faces were not read: 60 of 110, counted in each frame, were too small (gates.min_width_px: 40)"
    )


def test_one_face_was_and_two_were() -> None:
    one, two = hint_for(report(dark=1), SETTINGS), hint_for(report(dark=2), SETTINGS)
    assert (one or "").startswith("most faces were not read: 1 of 1, counted in each frame, was too dark")
    assert (two or "").startswith("most faces were not read: 2 of 2, counted in each frame, were too dark")


@pytest.mark.parametrize("outcomes", [{"held": 50, "blurred": 50}, {"unsure": 10}, {"held": 3}])
def test_half_of_them_read_is_no_matter_for_advice(outcomes: dict[str, int]) -> None:
    assert hint_for(report(**outcomes), SETTINGS) is None


def test_video_that_failed_has_its_own_line() -> None:
    assert hint_for(Report(source="clip.mp4", failure="clip.mp4: the file is empty"), SETTINGS) is None


ZONE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(("rotate", "zones", "warns"), [(90, (ZONE,), True), (0, (ZONE,), False), (90, (), False)])
def test_zones_of_a_turned_picture_are_warned_of(rotate, zones, warns) -> None:
    settings = Settings(camera=CameraSettings(rotate=rotate), privacy=PrivacySettings(zones=zones))
    assert (mask_warning(settings) is not None) == warns
