from itertools import count

from fer_edge.deliver.letters import Letters
from fer_edge.values import Message


def make(capacity: int = 100) -> Letters:
    return Letters(count(1), capacity)


def letter(word: str, expiry_s: int | None = None) -> Message:
    return Message("response/x", word.encode(), expiry_s=expiry_s)


def words(letters: Letters, room: int = 20, now: float = 0.0) -> list[str]:
    return [parcel.message.payload.decode() for parcel in letters.due(room, now)]


def test_two_letters_of_one_topic_are_both_sent_once_and_in_order():
    letters = make()
    letters.put(letter("one"), 0.0)
    letters.put(letter("two"), 0.0)
    assert words(letters, room=1) == ["one"]
    assert words(letters) == ["two"]
    assert words(letters) == []


def test_letter_stays_until_it_is_answered_and_comes_again_after_a_broken_link():
    letters = make()
    letters.put(letter("one"), 0.0)
    letters.put(letter("two"), 0.0)
    first, _ = letters.due(20, 0.0)
    letters.answered(first.key)
    letters.answered(999)
    assert not letters.idle()
    letters.land()
    (again,) = letters.due(20, 0.0)
    assert again.message.payload == b"two"
    letters.answered(again.key)
    assert letters.idle()


def test_letter_goes_with_what_is_left_of_its_time_and_is_dropped_when_nothing_is():
    letters = make()
    letters.put(letter("old", expiry_s=60), 0.0)
    letters.put(letter("young", expiry_s=60), 50.0)
    letters.put(letter("ageless"), 0.0)
    parcels = letters.due(20, 60.0)
    assert [(one.message.payload, one.message.expiry_s) for one in parcels] == [(b"young", 50), (b"ageless", None)]


def test_oldest_goes_where_there_is_no_room():
    letters = make(capacity=2)
    for word in ("one", "two", "three"):
        letters.put(letter(word), 0.0)
    assert words(letters) == ["two", "three"]
