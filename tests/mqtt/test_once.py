from fer_edge.mqtt.link import ConnectionChange, ConnectionLog, LogLimit

UP, DOWN, NOTHING = ConnectionChange.UP, ConnectionChange.DOWN, ConnectionChange.NOTHING


def test_reason_is_said_once_and_again_when_it_changes():
    once = ConnectionLog(steady_s=10.0)
    assert [once.down(reason, now) for now, reason in enumerate(["a", "a", "b", "b", "a"])] == [
        DOWN, NOTHING, DOWN, NOTHING, DOWN,
    ]  # fmt: skip


def test_loss_and_return_of_a_steady_link_are_said_each_time():
    once = ConnectionLog(steady_s=10.0)
    for start in (0.0, 100.0, 200.0):
        assert once.up(start) is UP
        assert once.tick(start + 20.0) is NOTHING
        assert once.down("cut", start + 50.0) is DOWN


def test_flapping_link_is_said_once_until_it_is_steady():
    once = ConnectionLog(steady_s=10.0)
    assert once.up(0.0) is UP
    assert once.down("taken over", 1.0) is DOWN
    assert once.up(2.0) is UP
    for now in (3.0, 5.0, 7.0):
        assert once.down("taken over", now) is NOTHING
        assert once.up(now + 1.0) is NOTHING
    assert once.tick(17.9) is NOTHING
    assert once.tick(18.0) is UP
    assert once.tick(19.0) is NOTHING
    assert once.down("taken over", 30.0) is DOWN


def test_other_reason_during_flapping_is_said():
    once = ConnectionLog(steady_s=10.0)
    for now in (0.0, 2.0, 4.0):
        once.up(now)
        once.down("taken over", now + 1.0)
    assert once.down("refused", 6.0) is DOWN
    assert once.up(7.0) is UP


def test_link_is_steady_after_its_time_and_not_when_it_is_gone():
    once = ConnectionLog(steady_s=10.0)
    once.up(0.0)
    assert not once.steady(9.9)
    assert once.steady(10.0)
    once.down("cut", 11.0)
    assert not once.steady(30.0)


def test_line_that_others_can_cause_comes_at_once_then_seldom_and_with_a_count():
    seldom = LogLimit(interval_s=600.0)
    assert [seldom.line("a", now) for now in (0.0, 1.0, 599.0, 600.0, 601.0)] == [
        "a", None, None, "a (2 similar ones suppressed)", None,
    ]  # fmt: skip
