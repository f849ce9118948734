"""Wrong and short-lived events, on clips and on photos with simulated movement.

    python benchmarks/flicker.py [--data ../shared/data] [--rate 5] [--stills 14] [--thresholds] [--json]

In a clip an event is wrong if it contradicts the labels (CLIPS below): an event without a face, an expression that
nobody shows, more faces than people, or `face_gone` of a person who stays. Null is never wrong; missed events are
counted instead. On a photo every change after the first expression is wrong. An event is short-lived if another
replaces it within 0.5 s. The last column counts the same without smoothing and thresholds: if it is low, the material
is too easy.

With --thresholds the faces are analysed once and replayed with several thresholds: the last expression of each photo,
agreement with its folder, wrong events, and the time at which the smile that begins at 0.65 s is reported.
"""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from trembling import trembling

from fer_edge.capture.sources import open_source, play
from fer_edge.config.model import CameraSettings, ClassifySettings, DecideSettings, DetectSettings, Settings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import EventDetector
from fer_edge.types import Event, EventKind, Face, Frame
from fer_edge.vision.analyzer import build_analyzer

SHORT_S = 0.5
STILL_S = 20.0
STILL_RATE_HZ = 10.0
LOST_S = Settings().track.lost_s
UNFILTERED = DecideSettings(smooth_s=0.0, enter=0.0, leave=0.0, dwell_s=0.0, arrive_s=0.0)
YUNET = "models/detector/yunet_s_320_320.onnx"
THRESHOLDS = ((0.35, 0.2), (0.45, 0.3), (0.5, 0.35), (0.55, 0.4), (0.6, 0.4), (0.7, 0.5))  # enter, leave
SMILE = "single_face.mp4"  # a smile begins at 0.65 s


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of a clip."""

    people: int = 0
    shown: tuple[str, ...] = ()  # expressions that occur
    reported: tuple[str, ...] = ()  # of these, those that must be reported, in this order
    leaves: bool = False  # a person is gone for longer than lost_s before the end


SIGNER = Labels(people=1, shown=("neutral",))
CLIPS = {
    "single_face.mp4": Labels(people=1, shown=("neutral", "happy"), reported=("neutral", "happy")),
    "face_noface.mov": Labels(people=1, shown=("neutral", "happy"), reported=("neutral", "happy"), leaves=True),
    "no_face.mp4": Labels(),
    "bottle-detection.mp4": Labels(),  # people, but never a face
    "store-aisle-detection.gif": Labels(),
    "head-pose-face-detection-female.gif": Labels(people=1, shown=("neutral",)),
    "classroom.gif": Labels(people=4, shown=("neutral",)),  # small faces, most bent over a table
    "face-demographics-walking.gif": Labels(people=2, shown=("neutral", "happy")),
    "sign-again.mkv": SIGNER,
    "sign-bird.mkv": dataclasses.replace(SIGNER, people=2),  # a second person at the edge
    "sign-book.mkv": SIGNER,
    "sign-brother.mkv": SIGNER,
    "sign-eat.mkv": dataclasses.replace(SIGNER, shown=("neutral", "happy")),  # a smile to begin with
    "sign-help.mkv": SIGNER,
    "sign-hungry.mkv": SIGNER,
    "sign-learn.mkv": SIGNER,
}


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of one clip or photo."""

    name: str
    seconds: float
    face_s: float  # of these, with a face in the frame
    events: int
    wrong: int
    short: int
    missed: int
    unfiltered: int  # wrong and short-lived, without smoothing
    story: str

    def __add__(self, other: "Score") -> "Score":
        keys = [one.name for one in dataclasses.fields(self) if one.type is not str]
        return dataclasses.replace(self, **{key: getattr(self, key) + getattr(other, key) for key in keys})


def short_lived(events: Iterable[Event]) -> int:
    """Return how many expressions, or nulls after one, were replaced within SHORT_S."""
    count = 0
    latest: dict[int, Event] = {}
    for event in events:
        before = latest.get(event.face)
        if event.kind is EventKind.CHANGED and before is not None and event.at - before.at < SHORT_S:
            count += before.kind is EventKind.CHANGED or before.emotion is not None
        latest[event.face] = event
    return count


def wrong_in_clip(events: Sequence[Event], labels: Labels) -> int:
    """Return how many events contradict the labels."""
    appeared = sum(event.kind is EventKind.APPEARED for event in events)
    left = sum(event.reason == "left" for event in events)
    reports = [event for event in events if event.kind is not EventKind.GONE]
    false = sum(event.emotion is not None and event.emotion not in labels.shown for event in reports)
    return max(0, appeared - labels.people) + max(0, left - labels.leaves) + false


def missed_in_clip(events: Sequence[Event], labels: Labels) -> int:
    """Return how many of the required events are missing, in their order."""
    missed = int(labels.leaves and not any(event.reason == "left" for event in events))
    rest = [event.emotion for event in events]
    for emotion in labels.reported:
        if emotion in rest:
            rest = rest[rest.index(emotion) + 1 :]
        else:
            missed += 1
    return missed


def wrong_on_still(events: Sequence[Event]) -> int:
    """Return the number of changes after the first expression, and of faces beyond the first."""
    appeared = [event for event in events if event.kind is EventKind.APPEARED]
    changed = [event for event in events if event.kind is EventKind.CHANGED]
    settling = sum(event.previous is None for event in changed[:1])
    return len(changed) - settling + max(0, len(appeared) - 1)


Watched = list[tuple[float, tuple[Face, ...]]]  # seconds, faces


@dataclass(frozen=True, slots=True)
class Material:
    """Faces of a clip or photo, and the functions that count its wrong and missed events."""

    name: str
    faces: Watched
    wrong: Callable[[Sequence[Event]], int]
    missed: Callable[[Sequence[Event]], int]
    label: str = ""  # a photo's folder


def watched(frames: Iterable[Frame], settings: Settings) -> Watched:
    """Return the faces of these frames."""
    vision = build_analyzer(settings)
    return [(frame.captured_at, vision.analyze(frame)) for frame in frames]


def events_of(faces: Watched, decide: DecideSettings) -> list[Event]:
    """Return the events of these faces."""
    detector = EventDetector(decide, LOST_S)
    events = [event for now, present in faces for event in detector.update(present, now).events]
    return [*events, *detector.close(faces[-1][0], "stopped")]


def score_of(material: Material) -> Score:
    """Return the figures of a clip or photo with the default thresholds."""
    faces = material.faces
    events = events_of(faces, DecideSettings())
    unfiltered = events_of(faces, UNFILTERED)
    return Score(
        name=material.name,
        seconds=faces[-1][0],
        face_s=sum(after - now for (now, present), (after, _) in itertools.pairwise(faces) if present),
        events=len(events),
        wrong=material.wrong(events),
        short=short_lived(events),
        missed=material.missed(events),
        unfiltered=material.wrong(unfiltered) + short_lived(unfiltered),
        story=_story(events),
    )


def clips(data: Path, settings: Settings, rate_hz: float) -> Iterator[Material]:
    """Yield each clip, at ``rate_hz`` fps at most."""
    for name, labels in CLIPS.items():
        source = open_source(CameraSettings(source=str(data / "videos" / name)))
        faces = watched(_thinned(play(source), rate_hz), settings)
        yield Material(name, faces, partial(wrong_in_clip, labels=labels), partial(missed_in_clip, labels=labels))


def stills(data: Path, settings: Settings, count: int, rate_hz: float) -> Iterator[Material]:
    """Yield ``count`` press photos, alternating between the expressions, each for STILL_S seconds."""
    folders = [sorted((data / "expressions" / "press" / emotion).iterdir()) for emotion in EMOTIONS]
    paths = [path for group in itertools.zip_longest(*folders) for path in group if path is not None]
    for seed, path in enumerate(paths[:count]):
        photo = cv2.imread(str(path))
        if photo is None:
            raise click.ClickException(f"{path}: not an image that OpenCV can read")
        frames = trembling(np.asarray(photo, np.uint8), min(rate_hz, STILL_RATE_HZ), STILL_S, seed)
        label = path.parent.name
        yield Material(f"{label}/{path.stem}", watched(frames, settings), wrong_on_still, lambda _: 0, label)


@dataclass(frozen=True, slots=True)
class Choice:
    """Figures of a pair of thresholds."""

    enter: float
    leave: float
    photos: int  # with an announced face
    said: int  # of these, with an expression at the end
    as_labelled: int  # of these, with that of their folder
    wrong_a_minute: float  # photos
    wrong_in_clips: int
    missed_in_clips: int
    smile_at_s: float | None  # in SMILE


Row = TypeVar("Row", Score, Choice)


def compared(films: Iterable[Material], photos: Iterable[Material]) -> Iterator[Choice]:
    """Yield the figures of all THRESHOLDS; faces are analysed once."""
    films, photos = list(films), list(photos)
    for enter, leave in THRESHOLDS:
        yield chosen(enter, leave, films, photos)


def chosen(enter: float, leave: float, films: Sequence[Material], photos: Sequence[Material]) -> Choice:
    """Return the figures of one pair of thresholds."""
    decide = DecideSettings(enter=enter, leave=leave)
    film_events = [(film, events_of(film.faces, decide)) for film in films]
    photo_events = [(photo, events_of(photo.faces, decide)) for photo in photos]
    ends = [(photo.label, events[-1].emotion) for photo, events in photo_events if events]
    minutes = sum(photo.faces[-1][0] for photo in photos) / 60
    (smile,) = (events for film, events in film_events if film.name == SMILE)
    return Choice(
        enter,
        leave,
        photos=len(ends),
        said=sum(emotion is not None for _, emotion in ends),
        as_labelled=sum(label == emotion for label, emotion in ends),
        wrong_a_minute=sum(photo.wrong(events) for photo, events in photo_events) / minutes,
        wrong_in_clips=sum(film.wrong(events) for film, events in film_events),
        missed_in_clips=sum(film.missed(events) for film, events in film_events),
        smile_at_s=next((event.at for event in smile if event.emotion == "happy"), None),
    )


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), default="../shared/data", show_default=True)
@click.option("--model", default=ClassifySettings().model, show_default=True, help="Value of classify.model.")
@click.option("--rate", "rate_hz", default=60.0, help="Maximum frame rate, in fps.")
@click.option("--stills", "photos", default=14, show_default=True, help="Number of photos, 20 s each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option("--thresholds", is_flag=True, help="Compare thresholds instead, with detectors `own` and YuNet.")
def main(  # noqa: PLR0913  an option each
    data: Path, model: str, rate_hz: float, photos: int, *, as_json: bool, thresholds: bool
) -> None:
    """Count wrong and short-lived events with each detector."""
    own = _settings(DetectSettings(), model)
    yunet = _settings(DetectSettings(backend="yunet", model=str(data / YUNET), width=160), model)
    haar = _settings(DetectSettings(backend="haar", width=320), model)
    films = partial(clips, data, rate_hz=rate_hz)
    portraits = partial(stills, data, count=photos, rate_hz=rate_hz)
    if thresholds:
        if photos < 1:
            raise click.UsageError("--thresholds needs photos: --stills 1 or more")
        choices = {
            "own on 160": compared(films(own), portraits(own)),
            "yunet on 160": compared(films(yunet), portraits(yunet)),
        }
        _report(choices, _print_choices, as_json=as_json)
        return
    scores = {
        "clips, own on 160": map(score_of, films(own)),
        "clips, yunet on 160": map(score_of, films(yunet)),
        "clips, haar on 320": map(score_of, films(haar)),
        "moving photos, own on 160": map(score_of, portraits(own)),
        "moving photos, yunet on 160": map(score_of, portraits(yunet)),
    }
    _report(scores, _print, as_json=as_json)


def _report(runs: Mapping[str, Iterable[Row]], show: Callable[[str, list[Row]], None], *, as_json: bool) -> None:
    """Print a table for each run when it ends, or one JSON object."""
    report: dict[str, list[Row]] = {}
    for name, rows in runs.items():
        report[name] = list(rows)
        if not as_json and report[name]:
            show(name, report[name])
    if as_json:
        click.echo(json.dumps({name: [dataclasses.asdict(row) for row in rows] for name, rows in report.items()}))


def _settings(detect: DetectSettings, model: str) -> Settings:
    return Settings(detect=detect, classify=ClassifySettings(model=model))


def _thinned(frames: Iterable[Frame], rate_hz: float) -> Iterator[Frame]:
    due = 0.0
    for frame in frames:
        if frame.captured_at >= due - 1e-6:
            due = max(due + 1 / rate_hz, frame.captured_at)
            yield frame


def _story(events: list[Event]) -> str:
    signs = {EventKind.APPEARED: "+", EventKind.CHANGED: ">", EventKind.GONE: "-"}
    return " ".join(f"{signs[event.kind]}{event.face}:{event.emotion or 'null'}@{event.at:.1f}" for event in events)


def _print(title: str, scores: list[Score]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for column in ("s", "with face", "events", "wrong", "short", "missed", "unfiltered"):
        table.add_column(column, justify="right")
    table.add_column("events: + appeared, > changed, - gone")
    total = dataclasses.replace(sum(scores[1:], start=scores[0]), name="all", story="")
    for one in (*scores, total):
        counts = (one.events, one.wrong, one.short, one.missed, one.unfiltered)
        table.add_row(one.name, f"{one.seconds:.1f}", f"{one.face_s:.1f}", *map(str, counts), one.story)
    for label, seconds in (("a minute", total.seconds), ("a minute with a face", total.face_s)):
        counts = (total.events, total.wrong, total.short, total.missed, total.unfiltered)
        table.add_row(label, "", "", *(f"{count * 60 / seconds:.2f}" for count in counts), "")
    Console(width=170).print(table)


def _print_choices(title: str, choices: list[Choice]) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("enter", "leave", "photos", "said", "as labelled", "wrong a min", "in clips", "missed", "smile at"):
        table.add_column(column, justify="right")
    for one in choices:
        photos = one.photos, one.said, one.as_labelled, f"{one.wrong_a_minute:.2f}"
        smile = "never" if one.smile_at_s is None else f"{one.smile_at_s:.2f} s"
        row = f"{one.enter:g}", f"{one.leave:g}", *photos, one.wrong_in_clips, one.missed_in_clips, smile
        table.add_row(*map(str, row))
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
