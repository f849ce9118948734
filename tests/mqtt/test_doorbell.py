import os
import select
import threading
from pathlib import Path

from fer_edge.mqtt.outbox import Wakeup


def rung(bell: Wakeup) -> bool:
    return bool(select.select([bell.fileno()], [], [], 0)[0])


def test_bell_is_heard_once_however_often_it_was_rung():
    bell = Wakeup()
    assert not rung(bell)
    bell.ring()
    bell.ring()
    assert rung(bell)
    bell.clear()
    assert not rung(bell)
    bell.clear()
    bell.close()


def test_closing_twice_leaves_a_stranger_s_descriptor_alone():
    bell = Wakeup()
    number = bell.fileno()
    bell.close()
    stranger = os.open("/dev/null", os.O_RDONLY)
    assert stranger == number  # the lowest free number is given out again
    bell.close()
    bell.ring()
    os.fstat(stranger)
    os.close(stranger)


def test_ring_while_it_is_closed_writes_into_no_other_file(tmp_path: Path) -> None:
    written, errors = 0, []

    def ring(bell: Wakeup) -> None:
        try:
            for _ in range(50):
                bell.ring()
        except OSError as error:
            errors.append(error)

    for _ in range(500):
        bell = Wakeup()
        thread = threading.Thread(target=ring, args=(bell,))
        thread.start()
        bell.close()
        with (tmp_path / "stranger").open("wb") as stranger:  # most likely under the number that was closed
            thread.join()
            written += os.fstat(stranger.fileno()).st_size
    assert (written, errors) == (0, [])
