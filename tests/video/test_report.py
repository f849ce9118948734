"""What is said of videos at the end, on a terminal and in a pipe."""

import io

from rich.console import Console

from fer_edge.video.command import print_reports
from fer_edge.video.statistics import Report

NAME = "single_face_smiling.mp4"
SMILE = Report(
    source=f"films/{NAME}",
    frames=40,
    seconds=4.0,
    faces=2,
    events={"face_appeared": 2, "face_gone": 2},
    emotion_s={"happy": 3.0, "surprise": 1.5, "sad": 0.25, "fear": 0.0},
    unsure_s=0.25,
    took_s=2.0,
    outputs={"events": "out/a.events.jsonl", "scores": "out/a.scores.csv"},
)
ONE = Report(source="b.mp4", frames=1, faces=1, events={"face_appeared": 1}, took_s=1.0)


def said(*reports: Report, width: int = 80, terminal: bool = True) -> list[str]:
    output = io.StringIO()
    print_reports(Console(file=output, force_terminal=terminal, width=width, color_system=None), reports)
    return output.getvalue().splitlines()


def test_name_and_figures_are_whole_on_eighty_columns_and_each_expression_has_its_line() -> None:
    lines = said(SMILE, ONE)
    assert all(len(line) <= 80 for line in lines)
    rows = [line.split() for line in lines[3:]]
    assert [line.split() for line in lines[:2]] == [
        ["x", "real", "shown", "most"],
        ["video", "seconds", "frames", "time", "faces", "events", "in", "%"],
    ]
    assert rows == [
        [NAME, "4.0", "40", "2.0", "2", "4", "happy", "60"],
        ["surprise", "30"],
        ["sad", "5"],
        ["b.mp4", "0.0", "1", "0.0", "1", "1", "-"],
        [],
        ["Written", "to", "out"],
    ]


def test_expressions_stand_in_one_line_where_there_is_room() -> None:
    assert said(SMILE, width=120)[3].endswith("happy 60, surprise 30, sad 5")


def test_name_that_is_too_long_goes_on_below_and_is_not_cut() -> None:
    name = "x" * 30 + "y" * 30 + ".mp4"
    lines = said(Report(source=name, frames=1))
    assert "".join(line.split()[0] for line in lines[3:]) == name


def test_of_no_video_nothing_is_drawn() -> None:
    assert said() == []
    assert said(terminal=False) == []


def test_piped_each_video_is_one_line_that_says_where_its_outputs_are_and_one_is_said_as_one() -> None:
    several, one = said(SMILE, ONE, terminal=False)
    assert several == (
        f"films/{NAME}: 4.0 s, 40 frames, 2.0 x real time, 2 faces, 4 events, happy 60 % surprise 30 % sad 5 %, "
        "written to out"
    )
    assert one == "b.mp4: 0.0 s, 1 frame, 0.0 x real time, 1 face, 1 event, no expression"
