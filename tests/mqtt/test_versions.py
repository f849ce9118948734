from fer_edge.mqtt.connect import REMEMBERED_S, Versions


def test_mqtt_5_is_tried_first_and_then_3_1_1():
    assert Versions("auto").order(0.0) == ("5", "3.1.1")


def test_what_worked_is_tried_first_from_then_on():
    versions = Versions("auto")
    versions.answered("3.1.1", 0.0)
    assert versions.order(10.0) == ("3.1.1", "5")
    versions.answered("5", 20.0)
    assert versions.order(30.0) == ("5", "3.1.1")
    assert versions.order(1e6) == ("5", "3.1.1")


def test_broker_that_was_only_slow_gets_mqtt_5_back_after_a_while():
    versions = Versions("auto")
    versions.answered("3.1.1", 0.0)
    versions.answered("3.1.1", 3000.0)
    assert versions.order(REMEMBERED_S - 1) == ("3.1.1", "5")
    assert versions.order(REMEMBERED_S) == ("5", "3.1.1")


def test_broker_that_has_no_mqtt_5_is_asked_for_it_once_an_hour_and_not_at_each_connect():
    versions = Versions("auto")
    versions.answered("3.1.1", 0.0)
    assert versions.order(3600.0) == ("5", "3.1.1")
    versions.answered("3.1.1", 3603.0)  # the fallback again
    assert versions.order(3700.0) == ("3.1.1", "5")
    assert versions.order(7203.0) == ("5", "3.1.1")


def test_asked_for_version_is_the_only_one():
    versions = Versions("3.1.1")
    versions.answered("3.1.1", 0.0)
    assert versions.order(0.0) == versions.order(1e6) == ("3.1.1",)


def test_fallback_is_new_until_it_was_answered_and_mqtt_5_never_is():
    versions = Versions("auto")
    assert versions.is_new_fallback("3.1.1", 0.0)
    assert not versions.is_new_fallback("5", 0.0)
    versions.answered("3.1.1", 0.0)
    assert not versions.is_new_fallback("3.1.1", 1.0)
    assert not versions.is_new_fallback("5", 1.0)
    assert versions.is_new_fallback("3.1.1", REMEMBERED_S)
    assert not Versions("3.1.1").is_new_fallback("3.1.1", 0.0)
