from itertools import count

from fer_edge.deliver.retained import Retained
from fer_edge.values import Message


def message(topic: str, payload: str = "x", qos: int = 1) -> Message:
    return Message(topic, payload.encode(), qos=qos, retain=True)


def payloads(retained: Retained, room: int = 20) -> list[str]:
    return [f"{parcel.message.topic} {parcel.message.payload.decode()}" for parcel in retained.due(room)]


def test_newest_of_a_topic_wins():
    retained = Retained((), count(1))
    retained.put(message("state", "old"))
    retained.put(message("state", "new"))
    assert payloads(retained) == ["state new"]
    assert payloads(retained) == []


def test_everything_is_sent_again_on_the_next_link_in_the_order_that_was_asked_for():
    retained = Retained(("info", "settings", "state"), count(1))
    for topic in ("state", "other", "info"):
        retained.put(message(topic))
    assert payloads(retained) == ["info x", "state x", "other x"]
    retained.recall()
    assert payloads(retained, room=2) == ["info x", "state x"]
    assert payloads(retained) == ["other x"]


def test_idle_is_when_all_is_answered():
    retained = Retained((), count(1))
    retained.put(message("state"))
    assert not retained.idle()
    key = retained.due(20)[0].key
    assert not retained.idle()
    retained.answered(key)
    assert retained.idle()


def test_answer_to_an_older_message_does_not_settle_the_newer():
    retained = Retained((), count(1))
    retained.put(message("state", "old"))
    old = retained.due(20)[0].key
    retained.put(message("state", "new"))
    retained.answered(old)
    assert not retained.idle()
    assert payloads(retained) == ["state new"]


def test_message_of_qos_0_is_sent_once_and_awaits_no_answer():
    retained = Retained((), count(1))
    retained.put(message("health", qos=0))
    assert [parcel.key for parcel in retained.due(20)] == [None]
    assert retained.idle()
    retained.recall()
    assert payloads(retained) == []


def test_message_of_qos_0_is_dropped_with_the_link():
    retained = Retained((), count(1))
    retained.put(message("health", qos=0))
    retained.put(message("state"))
    retained.forget_passing()
    retained.recall()
    assert payloads(retained) == ["state x"]
