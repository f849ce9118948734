"""Jobs: the videos to analyse, and the paths of their outputs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from fer_edge.errors import UserError, os_reason
from fer_edge.files import printable_path
from fer_edge.recording.format import ENDING as SCORES_ENDING

# In folders; a file that is given itself is tried with any suffix.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp", ".gif"}
)


class Output(StrEnum):
    """Output of a video."""

    VIDEO = "video"
    EVENTS = "events"
    SCORES = "scores"
    TIMELINE = "timeline"


ENDINGS = {
    Output.VIDEO: ".annotated.mp4",
    Output.EVENTS: ".events.jsonl",
    Output.SCORES: SCORES_ENDING,
    Output.TIMELINE: ".timeline.png",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One video and its outputs."""

    source: Path
    outputs: Mapping[Output, Path]

    @property
    def name(self) -> str:
        """Name in reports and on the terminal."""
        return printable_path(self.source)


def plan(sources: Sequence[Path], folder: Path, wanted: Sequence[Output]) -> list[Job]:
    """Return a job for each video in ``sources``, which are files and folders.

    Outputs have the video's name without its suffix, or with it if two videos differ in nothing else.

    Raises:
        UserError: a folder has no videos, or two videos would have the same outputs.
    """
    videos = list(dict.fromkeys(video for source in sources for video in _videos(source)))
    stems = Counter(video.stem for video in videos)
    names = [video.stem if stems[video.stem] == 1 else video.name for video in videos]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise UserError(
            f"{printable_path(Path(twice))}: videos in two folders have this name; analyse them in separate calls"
        )
    return [
        Job(video, {output: folder / f"{name}{ENDINGS[output]}" for output in wanted})
        for video, name in zip(videos, names, strict=True)
    ]


def wanted(kinds: str) -> list[Output]:
    """Return the outputs of a list such as `events,scores`; `none` is empty.

    Raises:
        click.UsageError: an unknown output.
    """
    if kinds.strip() == "none":
        return []
    names = [kind.strip() for kind in kinds.split(",")]
    for name in names:
        if name not in list(Output):
            raise click.UsageError(f"--write: unknown output {name!r}; use {', '.join(Output)} or none")
    return [output for output in Output if output in names]


def _videos(source: Path) -> list[Path]:
    """Return the videos of a path: itself, or those in that folder, by name."""
    try:
        if not source.is_dir():
            return [source]
    except OSError:  # no permission: its own analysis reports that, and the others go on
        return [source]
    try:
        found = [path for path in source.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()]
    except OSError as error:
        raise UserError(f"{printable_path(source)}: cannot be read: {os_reason(error)}") from error
    annotated = ENDINGS[Output.VIDEO]  # of an earlier call
    videos = sorted(path for path in found if not path.name.endswith(annotated) and not path.name.startswith("."))
    if not videos and any(path.name.endswith(annotated) for path in found):
        raise UserError(
            f"{printable_path(source)}: no videos except those annotated by fer-edge (*{annotated}), which are skipped "
            "unless given by name"
        )
    if not videos:
        raise UserError(f"{printable_path(source)}: no videos in this folder ({', '.join(sorted(VIDEO_SUFFIXES))})")
    return videos
