"""Latest-frame slot: newest wins, drops are counted, a waiting reader is woken."""

from threading import Thread

from fer_edge.capture.camera import LatestFrame
from fer_edge.types import Frame


def frame(number: int, image) -> Frame:
    return Frame(image(0), float(number), number)


def test_frame_is_taken_once(image) -> None:
    latest_frame = LatestFrame()
    latest_frame.put(frame(0, image))
    taken = latest_frame.take(0.0)
    assert taken is not None
    assert taken.number == 0
    assert latest_frame.take(0.0) is None
    assert latest_frame.dropped == 0


def test_newest_frame_wins_and_those_it_replaced_are_counted(image) -> None:
    latest_frame = LatestFrame()
    for number in range(5):
        latest_frame.put(frame(number, image))
    taken = latest_frame.take(0.0)
    assert taken is not None
    assert taken.number == 4
    assert latest_frame.dropped == 4


def test_nothing_is_given_when_nothing_comes() -> None:
    assert LatestFrame().take(0.01) is None


def test_taker_that_waits_is_woken_by_the_frame(image) -> None:
    latest_frame, taken = LatestFrame(), []
    taker = Thread(target=lambda: taken.append(latest_frame.take(30.0)))
    taker.start()
    latest_frame.put(frame(7, image))
    taker.join(10.0)
    assert not taker.is_alive()
    assert taken[0].number == 7


def test_every_frame_is_either_taken_or_counted_with_both_threads_at_it(image) -> None:
    latest_frame, total = LatestFrame(), 5000
    image = image(0)
    putter = Thread(target=lambda: [latest_frame.put(Frame(image, 0.0, number)) for number in range(total)])
    putter.start()
    numbers = []
    while putter.is_alive() or not numbers or numbers[-1] != total - 1:
        taken = latest_frame.take(0.01)
        if taken is not None:
            numbers.append(taken.number)
    assert numbers == sorted(set(numbers))
    assert len(numbers) + latest_frame.dropped == total


def test_cleared_mailbox_is_empty_and_has_dropped_nothing(image) -> None:
    latest_frame = LatestFrame()
    latest_frame.put(frame(1, image))
    latest_frame.clear()
    assert latest_frame.take(0.0) is None
    assert latest_frame.dropped == 0
