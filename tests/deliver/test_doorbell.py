import os
import select

from fer_edge.deliver.doorbell import Doorbell


def rung(bell: Doorbell) -> bool:
    return bool(select.select([bell.fileno()], [], [], 0)[0])


def test_bell_is_heard_once_however_often_it_was_rung():
    bell = Doorbell()
    assert not rung(bell)
    bell.ring()
    bell.ring()
    assert rung(bell)
    bell.clear()
    assert not rung(bell)
    bell.clear()
    bell.close()


def test_closing_twice_leaves_a_stranger_s_descriptor_alone():
    bell = Doorbell()
    number = bell.fileno()
    bell.close()
    stranger = os.open("/dev/null", os.O_RDONLY)
    assert stranger == number  # the lowest free number is given out again
    bell.close()
    bell.ring()
    os.fstat(stranger)
    os.close(stranger)
