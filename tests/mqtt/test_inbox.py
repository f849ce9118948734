from fer_edge.mqtt.requests import ReceivedMessage, RequestQueue


def test_what_is_heard_is_taken_in_order_and_once():
    inbox = RequestQueue()
    one, two = ReceivedMessage("a", b"1", retained=False), ReceivedMessage("b", b"2", retained=True)
    inbox.put(one)
    inbox.put(two)
    assert [inbox.take(0.0), inbox.take(0.0), inbox.take(0.0)] == [one, two, None]
    assert inbox.dropped == 0


def test_flood_finds_no_room_is_counted_and_does_not_push_out_what_came_first():
    inbox = RequestQueue(capacity=2)
    for number in range(10_000):
        inbox.put(ReceivedMessage(str(number), b"", retained=False))
    assert inbox.dropped == 9_998
    assert [heard.topic for heard in (inbox.take(0.0), inbox.take(0.0)) if heard] == ["0", "1"]
    inbox.put(ReceivedMessage("later", b"", retained=False))
    assert inbox.take(0.0) is not None


def test_requests_are_taken_at_a_rate_and_a_burst_at_once():
    inbox = RequestQueue(capacity=100, rate_hz=2.0, burst=3)
    for number in range(100):
        inbox.put(ReceivedMessage(str(number), b"", retained=False))

    def taken(now: float) -> int:
        return sum(inbox.take(now) is not None for _ in range(100))

    assert [taken(now) for now in (10.0, 10.4, 10.5, 11.0, 11.0, 20.0)] == [3, 0, 1, 1, 0, 3]


def test_rate_costs_whoever_asks_now_and_then_nothing():
    inbox = RequestQueue(rate_hz=1.0, burst=1)
    for second in range(10):
        inbox.put(ReceivedMessage("a", b"", retained=False))
        assert inbox.take(float(second)) is not None
    assert inbox.dropped == 0
