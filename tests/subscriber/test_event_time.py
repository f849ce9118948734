"""The time that stands before a message: its own, not that of who reads it."""

from datetime import datetime, timedelta, timezone

import pytest

from fer_edge.subscriber.format import time_before

HERE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 21, 18, 12, 50, tzinfo=HERE)


@pytest.mark.parametrize("live", [True, False])
def test_event_s_own_time_is_shown_in_local_time_with_the_date_where_it_is_not_today(*, live: bool) -> None:
    assert time_before({"time": "2026-11-21T16:12:48.005Z"}, NOW, live=live) == "18:12:48.005"
    assert time_before({"time": "2026-11-20T22:00:00.000Z"}, NOW, live=live) == "00:00:00.000"  # today here
    assert time_before({"time": "2026-11-20T21:59:59.999Z"}, NOW, live=live) == "2026-11-20 23:59:59.999"


def test_event_of_a_video_is_shown_by_how_far_into_it_it_was() -> None:
    assert time_before({"at_s": 3723.4567}, NOW, live=False) == "01:02:03.457"
    assert time_before({"at_s": 5}, NOW, live=False) == "00:00:05.000"


@pytest.mark.parametrize(
    "payload", ["online", {}, {"time": None}, {"time": "soon"}, {"time": "9999-12-31T23:59:59Z"}, {"at_s": "x"}]
)
def test_message_without_a_time_of_its_own_came_now_or_nobody_knows(payload: dict[str, object] | str) -> None:
    assert time_before(payload, NOW, live=True) == "18:12:50.000"
    assert time_before(payload, NOW, live=False) == "no time"
