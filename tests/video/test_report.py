"""Reports of videos, on a terminal and piped."""

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


def lines_of(*reports: Report, width: int = 80, terminal: bool = True) -> list[str]:
    output = io.StringIO()
    print_reports(Console(file=output, force_terminal=terminal, width=width, color_system=None), reports)
    return output.getvalue().splitlines()


def test_name_and_figures_fit_eighty_columns_with_a_line_for_each_expression() -> None:
    lines = lines_of(SMILE, ONE)
    assert all(len(line) <= 80 for line in lines)
    rows = [line.split() for line in lines[3:]]
    assert [line.split() for line in lines[:2]] == [
        ["x", "real", "longest"],
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


def test_expressions_are_on_one_line_on_a_wide_terminal() -> None:
    assert lines_of(SMILE, width=120)[3].endswith("happy 60, surprise 30, sad 5")


def test_long_name_is_wrapped_and_not_cut() -> None:
    name = "x" * 30 + "y" * 30 + ".mp4"
    lines = lines_of(Report(source=name, frames=1))
    assert "".join(line.split()[0] for line in lines[3:]) == name


def test_without_reports_nothing_is_printed() -> None:
    assert lines_of() == []
    assert lines_of(terminal=False) == []


def test_piped_report_is_one_line_with_the_output_folder_and_singular_units() -> None:
    several, one = lines_of(SMILE, ONE, terminal=False)
    assert several == (
        f"films/{NAME}: 4.0 s, 40 frames, 2.0 x real time, 2 faces, 4 events, happy 60% surprise 30% sad 5%, "
        "written to out"
    )
    assert one == "b.mp4: 0.0 s, 1 frame, 0.0 x real time, 1 face, 1 event, no expression"
