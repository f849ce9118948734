"""Which videos are meant, and where what comes of each is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from fer_edge.errors import UserError
from fer_edge.files import printable_path
from fer_edge.recording.format import ENDING as SCORES_ENDING

# What a folder is searched for; a file that is named is tried whatever its name.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp", ".gif"}
)


class Output(StrEnum):
    """What can be written of a video."""

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
    """One video and what is to be written of it."""

    source: Path
    outputs: Mapping[Output, Path]

    @property
    def name(self) -> str:
        """What the video is called in reports and on the terminal."""
        return printable_path(self.source)


def plan(sources: Sequence[Path], folder: Path, wanted: Sequence[Output]) -> list[Job]:
    """A job for each video that ``sources``, files and folders, name.

    Outputs are called after the video's name without its suffix, with it where two videos differ in nothing else.

    Raises:
        UserError: a folder without a video, or two videos of one name, whose outputs would be the same files.
    """
    videos = list(dict.fromkeys(video for source in sources for video in _videos(source)))
    stems = Counter(video.stem for video in videos)
    names = [video.stem if stems[video.stem] == 1 else video.name for video in videos]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise UserError(
            f"{printable_path(Path(twice))}: named by two videos of different folders; analyse them in two calls"
        )
    return [
        Job(video, {output: folder / f"{name}{ENDINGS[output]}" for output in wanted})
        for video, name in zip(videos, names, strict=True)
    ]


def wanted(kinds: str) -> list[Output]:
    """The outputs that a list such as `events,scores` names; `none` is none.

    Raises:
        click.UsageError: another word.
    """
    if kinds.strip() == "none":
        return []
    names = [kind.strip() for kind in kinds.split(",")]
    for name in names:
        if name not in list(Output):
            raise click.UsageError(f"--write: there is no {name!r}; there are {', '.join(Output)}, or none")
    return [output for output in Output if output in names]


def _videos(source: Path) -> list[Path]:
    """The videos that a path names: itself, or those in that folder, in the order of their names."""
    try:
        if not source.is_dir():
            return [source]
    except OSError:  # it lies where nobody may look: the analysis says so of this one, and the others go on
        return [source]
    try:
        found = [path for path in source.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()]
    except OSError as error:
        raise UserError(
            f"{printable_path(source)}: cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
    annotated = ENDINGS[Output.VIDEO]  # of an earlier call
    videos = sorted(path for path in found if not path.name.endswith(annotated) and not path.name.startswith("."))
    if not videos and any(path.name.endswith(annotated) for path in found):
        raise UserError(
            f"{printable_path(source)}: no videos but those that fer-edge annotated (*{annotated}), which "
            "are passed over; one that is named itself is analysed"
        )
    if not videos:
        raise UserError(f"{printable_path(source)}: no videos in this folder ({', '.join(sorted(VIDEO_SUFFIXES))})")
    return videos
