import numpy as np
import pytest

from fer_edge.demo.scene import HEIGHT_PX, LENGTH_S, RATE_HZ, WIDTH_PX, Actor, Pose, Scene, actors


class Time:
    """A clock that advances only by waiting."""

    now = 0.0

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def cast() -> tuple[Actor, Actor]:
    return actors()


def test_actors_enter_overlap_and_are_gone_at_the_end(cast: tuple[Actor, Actor]) -> None:
    hopper, collins = cast
    assert [actor.pose(3.0) is not None for actor in (hopper, collins)] == [False, True]
    assert [actor.pose(10.0) is not None for actor in (hopper, collins)] == [True, True]
    assert [actor.pose(LENGTH_S - 0.01) is not None for actor in (hopper, collins)] == [False, False]
    gaps = []
    for at_s in np.arange(18.0, 21.0, 0.1):
        one, other = hopper.pose(at_s), collins.pose(at_s)
        assert one
        assert other
        gaps.append(one.x - other.x)
    assert gaps[0] > 0 > gaps[-1], "they pass each other"


def test_pose_is_interpolated_between_its_neighbours() -> None:
    actor = Actor(actors()[0].portrait, (Pose(0, 0, 0, 0.2, 0), Pose(2, 1, 0.5, 0.4, 1)))
    middle = actor.pose(1.0)
    assert middle == Pose(1.0, 0.5, 0.25, pytest.approx(0.3), 0.5)
    assert actor.pose(0.0) == Pose(0, 0, 0, 0.2, 0)
    assert actor.pose(2.0) is None


def test_scene_gives_each_frame_when_due_and_ends() -> None:
    time = Time()
    scene = Scene(length_s=1.0, clock=time.clock, wait=time.wait)
    times = []
    while (frame := scene.read()) is not None:
        assert frame.shape == (HEIGHT_PX, WIDTH_PX, 3)
        assert frame.dtype == np.uint8
        times.append(time.now)
    assert len(times) == RATE_HZ
    assert times == pytest.approx([number / RATE_HZ for number in range(int(RATE_HZ))])


def test_slow_machine_gets_fewer_frames_of_the_same_length() -> None:
    time = Time()
    scene = Scene(length_s=1.0, clock=time.clock, wait=time.wait)
    frames = 0
    while scene.read() is not None:
        frames += 1
        time.wait(0.21)  # drawing time
    assert 1.0 <= time.now < 1.3
    assert frames == 5


def test_frames_show_the_actors_that_are_present() -> None:
    scene = Scene()
    empty, with_one = scene.draw(LENGTH_S - 0.01).astype(int), scene.draw(4.0).astype(int)
    assert np.abs(empty[100:380, 60:320] - with_one[100:380, 60:320]).mean() > 20
    assert np.abs(empty[:, 400:] - with_one[:, 400:]).mean() < 4, "only the sensor's noise differs"


def test_mouth_bends_only_around_the_mouth(cast: tuple[Actor, Actor]) -> None:
    portrait = cast[1].portrait
    smile, frown = portrait.with_mouth(0.06).astype(int), portrait.with_mouth(-0.1).astype(int)
    changed = np.abs(smile - frown).max(axis=2) > 10
    rows = np.flatnonzero(changed.any(axis=1))
    mouth_y = portrait.mouth[0][1]
    assert changed.any()
    assert np.abs(rows - mouth_y).max() < portrait.face_px / 2
