"""Videos to analyse and paths of their outputs."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fer_edge.errors import UserError
from fer_edge.video.jobs import Output, plan, wanted


def test_outputs_have_the_video_s_name_in_the_output_folder() -> None:
    (job,) = plan([Path("a/clip.mp4")], Path("out"), [Output.EVENTS, Output.SCORES])
    assert job.source == Path("a/clip.mp4")
    assert dict(job.outputs) == {
        Output.EVENTS: Path("out/clip.events.jsonl"),
        Output.SCORES: Path("out/clip.scores.csv"),
    }


def test_videos_that_differ_in_their_suffix_keep_it_and_the_same_one_twice_is_one() -> None:
    jobs = plan([Path("clip.mp4"), Path("clip.mov"), Path("clip.mp4")], Path(), [Output.EVENTS])
    assert [job.outputs[Output.EVENTS].name for job in jobs] == ["clip.mp4.events.jsonl", "clip.mov.events.jsonl"]


def test_two_videos_whose_outputs_would_be_the_same_files_are_refused() -> None:
    with pytest.raises(UserError, match=r"clip\.mp4: videos in two folders"):
        plan([Path("a/clip.mp4"), Path("b/clip.mp4")], Path(), [Output.EVENTS])


def test_folder_gives_its_videos_without_earlier_outputs_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.mkv", "notes.txt", ".part-1-x.mp4", "a.annotated.mp4", "a.scores.csv"):
        (tmp_path / name).touch()
    assert [job.source.name for job in plan([tmp_path], Path(), [])] == ["a.mkv", "b.MP4"]


def test_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no videos in this folder"):
        plan([tmp_path], Path(), [])


def test_annotated_videos_in_a_folder_are_skipped_unless_given_by_name(
    tmp_path: Path,
) -> None:
    annotated = tmp_path / "a.annotated.mp4"
    annotated.touch()
    with pytest.raises(UserError, match=r"except those annotated by fer-edge \(\*\.annotated\.mp4\)") as caught:
        plan([tmp_path], Path(), [])
    assert str(caught.value).startswith(f"{tmp_path}: no videos except")
    assert [job.source for job in plan([annotated], Path(), [])] == [annotated]


def test_outputs_are_parsed_in_any_order_and_an_unknown_one_is_named() -> None:
    assert wanted("scores, events") == [Output.EVENTS, Output.SCORES]
    assert wanted("none") == []
    with pytest.raises(click.UsageError, match="unknown output 'parquet'; use video, events, scores, timeline or none"):
        wanted("events,parquet")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that only root may enter."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    yield folder
    folder.chmod(0o755)


def test_file_in_a_folder_without_permission_is_left_to_the_analysis(locked, ordinary_user) -> None:
    """It reports this one, and goes on with the others."""
    video = locked / "clip.mp4"
    with pytest.raises(PermissionError):
        video.stat()  # else this tests nothing
    assert [job.source for job in plan([video], Path(), [])] == [video]
