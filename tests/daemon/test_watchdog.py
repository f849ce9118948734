import logging

import pytest

from fer_edge.daemon.systemd import Watchdog


class Bowl:
    """Counts what the watchdog was fed."""

    def __init__(self) -> None:
        self.fed = 0

    def __call__(self) -> None:
        self.fed += 1


def test_watchdog_is_fed_at_most_once_a_second_while_all_keep_their_word() -> None:
    bowl = Bowl()
    watchdog = Watchdog(bowl)
    for tick in range(21):  # 0.0 to 2.0 s
        watchdog.look(tick / 10, {"camera": 5.0, "link": 5.0})
    assert bowl.fed == 3


@pytest.mark.parametrize("late", ["camera", "link"])
def test_one_thread_that_breaks_its_word_starves_the_watchdog(late: str, caplog: pytest.LogCaptureFixture) -> None:
    bowl = Bowl()
    watchdog = Watchdog(bowl)
    deadline = {"camera": 100.0, "link": 100.0} | {late: 10.0}
    watchdog.look(10.0, deadline)
    assert bowl.fed == 1
    for now in range(11, 60):
        watchdog.look(now, deadline)
    assert bowl.fed == 1
    assert [record.message for record in caplog.records] == [
        f"no progress: {late}; the watchdog is fed no more until there is"
    ]


def test_progress_that_comes_late_feeds_it_again_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    bowl = Bowl()
    watchdog = Watchdog(bowl)
    watchdog.look(11.0, {"camera": 10.0})
    watchdog.look(12.0, {"camera": 72.0})
    watchdog.look(14.0, {"camera": 74.0})
    assert bowl.fed == 2
    assert [record.message for record in caplog.records][1:] == ["progress again: the watchdog is fed"]
