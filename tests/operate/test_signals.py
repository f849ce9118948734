import os
import signal

import pytest

from fer_edge.operate.signals import Signals


@pytest.mark.parametrize(
    ("number", "stop", "reload"),
    [(signal.SIGTERM, True, False), (signal.SIGINT, True, False), (signal.SIGHUP, False, True)],
)
def test_signal_sets_its_flag_and_only_while_it_is_listened_to(number: int, stop: bool, reload: bool) -> None:  # noqa: FBT001
    signals, before = Signals(), signal.getsignal(number)
    with signals.heard():
        assert not signals.stop.is_set()
        os.kill(os.getpid(), number)
        assert (signals.stop.is_set(), signals.reload.is_set()) == (stop, reload)
    assert signal.getsignal(number) is before
