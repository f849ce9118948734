from fer_edge.daemon.status import FrameStatus, StatusPart, status_line, status_parts


def test_line_names_each_part_with_its_state() -> None:
    parts = [StatusPart("camera", ok=True, text="running"), StatusPart("broker", ok=False, text="refused")]
    assert status_line(parts) == "camera ok: running | broker not ok: refused"


def test_line_is_parsed_into_its_parts_with_any_reason() -> None:
    parts = [
        StatusPart("camera", ok=False, text="lost: ok: not ok: check the cable; then wait"),
        StatusPart("broker", ok=True, text="connected to h:1883 (MQTT 5)"),
    ]
    assert status_parts(status_line(parts)) == parts


def test_reason_of_several_lines_or_with_a_bar_does_not_break_the_line() -> None:
    (part,) = status_parts(status_line([StatusPart("camera", ok=False, text="a | b\nc")]))
    assert part.text == "a / b c"


def test_terminal_control_characters_are_escaped() -> None:
    assert status_line([StatusPart("camera", ok=False, text="sent \x1b[2J")]) == r"camera not ok: sent \x1b[2J"


def test_text_of_another_form_has_no_parts() -> None:
    assert status_parts("") == []
    assert status_parts("stopping") == []


def test_rate_is_that_of_the_last_whole_window() -> None:
    frames = FrameStatus(now=100.0)
    assert (frames.any, frames.rate_hz) == (False, None)
    for tick in range(1, 51):  # ten a second, for five seconds
        frames.count(faces=tick % 3)
        frames.update(100.0 + tick / 10)
    assert (frames.any, frames.rate_hz, frames.faces) == (True, 10.0, 2)
    frames.update(104.9 + 5.0)
    assert frames.rate_hz == 10.0
    frames.update(105.0 + 5.0)
    assert frames.rate_hz == 0.0
