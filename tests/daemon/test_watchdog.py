import logging

import pytest

from fer_edge.daemon.systemd import Watchdog


class Notifications:
    """Count of watchdog notifications."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_watchdog_is_notified_at_most_once_a_second_while_all_meet_their_deadlines() -> None:
    notifications = Notifications()
    watchdog = Watchdog(notifications)
    for tick in range(21):  # 0.0 to 2.0 s
        watchdog.check(tick / 10, {"camera": 5.0, "link": 5.0})
    assert notifications.count == 3


@pytest.mark.parametrize("late", ["camera", "link"])
def test_one_thread_past_its_deadline_stops_notifications(late: str, caplog: pytest.LogCaptureFixture) -> None:
    notifications = Notifications()
    watchdog = Watchdog(notifications)
    deadline = {"camera": 100.0, "link": 100.0} | {late: 10.0}
    watchdog.check(10.0, deadline)
    assert notifications.count == 1
    for now in range(11, 60):
        watchdog.check(now, deadline)
    assert notifications.count == 1
    assert [record.message for record in caplog.records] == [f"no progress: {late}; watchdog notifications stopped"]


def test_late_progress_resumes_notifications_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    notifications = Notifications()
    watchdog = Watchdog(notifications)
    watchdog.check(11.0, {"camera": 10.0})
    watchdog.check(12.0, {"camera": 72.0})
    watchdog.check(14.0, {"camera": 74.0})
    assert notifications.count == 2
    assert [record.message for record in caplog.records][1:] == ["progress again: watchdog notifications resumed"]
