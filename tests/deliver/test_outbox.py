import threading

from fer_edge.deliver.entry import Limits
from fer_edge.deliver.outbox import Outbox, Tally
from fer_edge.values import Message


def event(seq: int) -> Message:
    return Message("event", str(seq).encode(), seq=seq)


def state(payload: str = "x", qos: int = 1) -> Message:
    return Message("state" if qos else "health", payload.encode(), qos=qos, retain=True)


def make(capacity: int = 100) -> Outbox:
    return Outbox(
        Limits(events=capacity),
        lambda _boot, first, last, _: Message("event", f"gap {first}-{last}".encode()),
        lambda it: it,
    )


def due(outbox: Outbox, room: int = 20) -> list[str]:
    return [parcel.message.payload.decode() for parcel in outbox.due(room, 0.0)]


def test_retained_messages_go_before_events_and_share_the_room():
    outbox = make()
    outbox.put(event(1), 0.0)
    outbox.put(event(2), 0.0)
    outbox.retain(state("seen"))
    outbox.connected(0.0)
    assert due(outbox, room=2) == ["seen", "1"]
    assert due(outbox) == ["2"]


def test_passing_message_is_not_kept_while_there_is_no_link():
    outbox = make()
    outbox.retain(state("early", qos=0))
    outbox.connected(0.0)
    outbox.retain(state("now", qos=0))
    assert due(outbox) == ["now"]
    outbox.retain(state("late", qos=0))
    outbox.disconnected()
    outbox.connected(0.0)
    assert due(outbox) == []


def test_retained_and_unacknowledged_come_again_after_a_reconnect():
    outbox = make()
    outbox.connected(0.0)
    outbox.retain(state("seen"))
    outbox.put(event(1), 0.0)
    for parcel in outbox.due(20, 0.0):
        if parcel.message.payload == b"seen":
            outbox.acknowledged(parcel.key, 0.0)
    assert not outbox.idle()
    outbox.disconnected()
    outbox.connected(0.0)
    assert due(outbox) == ["seen", "1"]


def test_what_was_on_its_way_when_the_link_broke_can_be_dropped_too():
    outbox = make(capacity=4)
    outbox.connected(0.0)
    outbox.put(event(1), 0.0)
    outbox.put(event(2), 0.0)
    assert due(outbox) == ["1", "2"]
    outbox.disconnected()
    for seq in range(3, 9):
        outbox.put(event(seq), 0.0)
    outbox.connected(0.0)
    assert due(outbox) == ["gap 1-4", "5"]


def test_strict_waits_for_a_disk_that_worked_once_and_not_for_one_that_never_did():
    outbox = Outbox(
        Limits(events=100), lambda *_: Message("event", b"gap"), lambda it: it, boot="b", durability="strict"
    )
    outbox.connected(0.0)
    outbox.store_is("read-only", works=False)
    outbox.put(event(1), 0.0)
    assert due(outbox) == ["1"]
    outbox.store_is("fine", works=True)
    outbox.put(event(2), 0.0)
    outbox.store_is("full", works=False)
    assert due(outbox) == []  # the next boot would give its number to a farewell
    outbox.written(outbox.take_batch(0.0), 0.0)
    assert due(outbox) == ["2"]


def test_all_is_stored_where_the_disk_has_it_as_it_is():
    outbox = Outbox(
        Limits(events=4), lambda *_: Message("event", b"gap"), lambda it: it, boot="b", durability="default"
    )
    assert outbox.all_stored()
    for seq in range(1, 5):
        outbox.put(event(seq), 0.0)
    assert not outbox.all_stored()
    outbox.written(outbox.take_batch(10.0), 10.0)
    assert outbox.all_stored()
    outbox.put(event(5), 10.0)  # takes the place of 1, which is an event on disk and a gap here
    outbox.written(outbox.take_batch(20.0), 20.0)
    assert outbox.all_stored()


def test_tally_tells_what_became_of_each_event():
    outbox = make(capacity=4)
    for seq in range(1, 7):
        outbox.put(event(seq), 0.0)  # 1 and 2 are dropped
    outbox.connected(0.0)
    one, other = outbox.due(20, 0.0)  # the gap of 1 and 2, and 3
    outbox.acknowledged(one.key, 0.0)
    outbox.refused(other.key, 0.0)
    outbox.acknowledged(outbox.due(1, 0.0)[0].key, 0.0)  # 4
    assert outbox.tally() == Tally(depth=3, acknowledged=1, dropped=2, refused=1)


def test_threads_that_put_and_take_lose_and_double_nothing():
    outbox = make(capacity=10_000)
    outbox.connected(0.0)
    came: list[str] = []
    done = threading.Event()

    def take() -> None:
        while not done.is_set() or not outbox.idle():
            for parcel in outbox.due(20, 0.0):
                came.append(parcel.message.payload.decode())
                outbox.acknowledged(parcel.key, 0.0)

    taker = threading.Thread(target=take)
    taker.start()
    for seq in range(1, 3001):
        outbox.put(event(seq), 0.0)
    done.set()
    taker.join()
    assert came == [str(seq) for seq in range(1, 3001)]
