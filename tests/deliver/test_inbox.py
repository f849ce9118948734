from fer_edge.deliver.inbox import Heard, Inbox


def test_what_is_heard_is_taken_in_order_and_once():
    inbox = Inbox()
    one, two = Heard("a", b"1", retained=False), Heard("b", b"2", retained=True)
    inbox.put(one)
    inbox.put(two)
    assert [inbox.take(), inbox.take(), inbox.take()] == [one, two, None]
    assert inbox.dropped == 0


def test_flood_finds_no_room_is_counted_and_does_not_push_out_what_came_first():
    inbox = Inbox(capacity=2)
    for number in range(10_000):
        inbox.put(Heard(str(number), b"", retained=False))
    assert inbox.dropped == 9_998
    assert [heard.topic for heard in (inbox.take(), inbox.take()) if heard] == ["0", "1"]
    inbox.put(Heard("later", b"", retained=False))
    assert inbox.take() is not None
