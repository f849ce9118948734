"""Several processes and a cluster give the same results as one process."""

import os
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from fer_edge.config.model import Settings
from fer_edge.errors import UserError
from fer_edge.video.jobs import Job, Output, plan
from fer_edge.video.parallel import analyze_all, analyze_on_cluster
from fer_edge.video.statistics import Report


@pytest.fixture
def films(smile: Path, tmp_path: Path) -> list[Path]:
    """Two good films and a broken one between them."""
    paths = [tmp_path / "films" / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    paths[0].parent.mkdir()
    shutil.copy(smile, paths[0])
    paths[1].write_text("no film")
    shutil.copy(smile, paths[2])
    return paths


def jobs_in(folder: Path, films: list[Path]) -> list[Job]:
    return plan(films, folder, [Output.EVENTS, Output.SCORES])


def timeless(reports: list[Report]) -> list[Report]:
    """The reports by name, without fields that differ from run to run; failures as their reason."""
    return [
        replace(one, took_s=0.0, outputs={}, failure=one.failure and one.failure.rpartition(": ")[2])
        for one in sorted(reports, key=lambda one: one.source)
    ]


def same_files(one: Path, other: Path) -> None:
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert names == ["a.events.jsonl", "a.scores.csv", "c.events.jsonl", "c.scores.csv"]
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_two_processes_give_the_results_of_one_and_a_broken_video_stops_no_other(films, tmp_path) -> None:
    updates: list[tuple[int, int, int | None]] = []
    alone = list(analyze_all(jobs_in(tmp_path / "one", films), Settings(), 1, lambda *what: None))
    many = list(analyze_all(jobs_in(tmp_path / "two", films), Settings(), 2, lambda *what: updates.append(what)))
    assert timeless(alone) == timeless(many)
    assert [one.failure is None for one in timeless(alone)] == [True, False, True]
    same_files(tmp_path / "one", tmp_path / "two")
    assert {number for number, _, _ in updates} == {0, 2}
    assert all(stated == 40 for _, _, stated in updates)


@pytest.mark.system
def test_two_workers_of_a_cluster_give_the_results_of_one_process(films, tmp_path, monkeypatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    films = [path.relative_to(tmp_path) for path in films]  # workers may have another working folder
    alone = list(analyze_all(jobs_in(tmp_path / "one", films), Settings(), 1, lambda *what: None))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        jobs = jobs_in(tmp_path / "two", films)
        many = list(analyze_on_cluster(jobs, Settings(), cluster.scheduler_address))
    assert timeless(alone) == timeless(many)
    same_files(tmp_path / "one", tmp_path / "two")


def test_cluster_without_an_answer_is_named(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UserError, match="no Dask scheduler answers at this address"):
        list(analyze_on_cluster([], Settings(), "not an address"))


def test_fifo_and_link_to_a_device_in_a_folder_are_named_and_the_others_are_analysed(
    smile: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(smile, folder / "c.mp4")
    os.mkfifo(folder / "a\x1b.mp4")
    (folder / "b.mp4").symlink_to("/dev/zero")
    jobs = plan([folder], tmp_path / "out", [Output.EVENTS])
    reports = list(analyze_all(jobs, Settings(), 1, lambda *what: None))
    assert [report.failure for report in reports] == [
        f"{folder}/a\\x1b.mp4: cannot be read: not a regular file",
        f"{folder}/b.mp4: cannot be read: not a regular file",
        None,
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.events.jsonl"]
