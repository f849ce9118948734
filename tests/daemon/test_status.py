from fer_edge.daemon.status import FrameStatus, StatusPart, status_line, status_parts


def test_line_reads_as_a_person_would_say_it() -> None:
    parts = [StatusPart("camera", ok=True, text="running"), StatusPart("broker", ok=False, text="refused")]
    assert status_line(parts) == "camera ok: running | broker not ok: refused"


def test_line_is_read_back_into_its_parts_whatever_the_reasons_hold() -> None:
    parts = [
        StatusPart("camera", ok=False, text="lost: ok: not ok: check the cable; then wait"),
        StatusPart("broker", ok=True, text="connected to h:1883 (MQTT 5)"),
    ]
    assert status_parts(status_line(parts)) == parts


def test_reason_of_several_lines_or_with_a_bar_does_not_break_the_line() -> None:
    (part,) = status_parts(status_line([StatusPart("camera", ok=False, text="a | b\nc")]))
    assert part.text == "a / b c"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert status_line([StatusPart("camera", ok=False, text="sent \x1b[2J")]) == r"camera not ok: sent \x1b[2J"


def test_what_somebody_else_wrote_gives_no_parts() -> None:
    assert status_parts("") == []
    assert status_parts("saying farewell") == []


def test_rate_is_that_of_the_last_whole_window() -> None:
    pictures = FrameStatus(now=100.0)
    assert (pictures.any, pictures.rate_hz) == (False, None)
    for tick in range(1, 51):  # ten a second, for five seconds
        pictures.looked_at(faces=tick % 3)
        pictures.pass_time(100.0 + tick / 10)
    assert (pictures.any, pictures.rate_hz, pictures.faces) == (True, 10.0, 2)
    pictures.pass_time(104.9 + 5.0)
    assert pictures.rate_hz == 10.0
    pictures.pass_time(105.0 + 5.0)
    assert pictures.rate_hz == 0.0
