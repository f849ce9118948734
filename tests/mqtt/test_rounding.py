import numpy as np

from fer_edge.mqtt.payloads import box_fractions, fraction, rfc3339, score_table, seconds
from fer_edge.types import Box


def test_fractions_have_four_digits_and_no_negative_zero():
    assert fraction(np.float32(0.93)) == 0.93  # float32 is 0.93000000715
    assert str(fraction(-0.00001)) == "0.0"
    assert seconds(12.34567) == 12.346


def test_box_that_is_partly_outside_keeps_its_sides():
    assert box_fractions(Box(-0.123456, 0.5, 0.25, 0.987654)) == (-0.1235, 0.5, 0.25, 0.9877)


def test_scores_are_named_in_the_order_of_the_labels():
    table = score_table(np.array([0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0], np.float32))
    assert list(table.items())[:4] == [("angry", 0.1), ("disgust", 0.2), ("fear", 0.3), ("happy", 0.4)]


def test_times_are_utc_with_milliseconds():
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_000_000_000.25) == "2001-09-09T01:46:40.250Z"  # date -u -d @1000000000
