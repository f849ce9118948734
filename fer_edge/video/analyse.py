"""One saved video through the daemon's own pipeline, every frame of it, and what is asked for written out."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from fer_edge.capture.blackout import blacked_out
from fer_edge.capture.playback import play
from fer_edge.capture.video import VideoFile
from fer_edge.config import CameraSettings, Settings
from fer_edge.decide.decider import Decider
from fer_edge.errors import UserError
from fer_edge.pipeline import Pipeline, Witness
from fer_edge.record.score_file import Origin
from fer_edge.video import timeline
from fer_edge.video.annotated_video import AnnotatedVideo
from fer_edge.video.beside import beside
from fer_edge.video.ending import reaches_its_end
from fer_edge.video.event_file import EventFile
from fer_edge.video.plan import Job, Output
from fer_edge.video.score_table import ScoreTable
from fer_edge.video.tally import Report, Tally
from fer_edge.video.traces import Traces
from fer_edge.vision.vision import build_vision
from fer_edge.zones import Zones

# frames done, frames that the file says it has (None where it does not)
Tell = Callable[[int, int | None], None]

# Containers that make their count up from length and rate are off by up to three frames in a hundred, measured.
COUNT_TOLERANCE = 0.05
COUNT_SLACK = 5


def analyse(job: Job, settings: Settings, tell: Tell, threads: int = 0) -> Report:
    """The figures of a video, after all outputs are in their place.

    A video that ends early, in garbage, gives its outputs up to there and a report with a `failure`.

    Raises:
        UserError: it cannot be read at all, or an output cannot be written; then none is.
    """
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            report = _run(job, settings, tell, threads, stack)
    except OSError as error:
        place = error.filename or job.source
        raise UserError(f"{place}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    outputs = {output.value: str(path) for output, path in job.outputs.items()}
    return replace(report, took_s=round(time.monotonic() - began, 3), outputs=outputs)


def _run(job: Job, settings: Settings, tell: Tell, threads: int, stack: ExitStack) -> Report:
    """The work itself; the outputs move to their places when ``stack`` is closed."""
    source = VideoFile(CameraSettings(source=str(job.source)))
    stack.callback(source.close)
    vision = build_vision(settings)
    origin = Origin(
        decide=settings.decide,
        lost_s=settings.track.lost_s,
        model=vision.classifier.card.sha256,
        source=job.source.name,
    )
    tally, witnesses, events = Tally(), list[Witness](), EventFile()
    for output, path in job.outputs.items():
        part = stack.enter_context(beside(path))
        match output:
            case Output.VIDEO:
                witnesses.append(stack.enter_context(_annotated(part, threads)))
            case Output.EVENTS:
                events = EventFile(stack.enter_context(part.open("wb")))
            case Output.SCORES:
                file = stack.enter_context(part.open("w", encoding="utf-8", newline=""))
                witnesses.append(ScoreTable(file, origin))
            case Output.TIMELINE:
                timeline.require()
                witnesses.append(stack.enter_context(_timeline(part, job.source.name)))
    decider = Decider(settings.decide, settings.track.lost_s)
    pipeline = Pipeline(vision.see, decider, events, (tally, *witnesses))
    for frame in play(blacked_out(source, Zones(settings.privacy.zones))):
        pipeline.step(frame)
        tell(tally.frames, source.stated_frames)
    pipeline.close(tally.seconds, "stopped")
    return replace(tally.report(str(job.source)), failure=_cut_short(job.source, tally, source.stated_frames))


@contextmanager
def _annotated(path: Path, threads: int) -> Iterator[AnnotatedVideo]:
    """The annotated video, closed at the end, also where the work failed."""
    video = AnnotatedVideo(path, threads)
    try:
        yield video
    finally:
        video.close()


@contextmanager
def _timeline(path: Path, title: str) -> Iterator[Traces]:
    """The traces, drawn at the end where all went well."""
    traces = Traces()
    yield traces
    timeline.draw_timeline(traces, title, path)


def _cut_short(path: Path, tally: Tally, stated: int | None) -> str | None:
    """The line that says that a video ended before it said it would, None where it did not."""
    if stated is None or tally.frames >= stated * (1.0 - COUNT_TOLERANCE) - COUNT_SLACK or reaches_its_end(path):
        return None
    return (
        f"{path}: only {tally.frames} of {stated} frames can be read, the file is damaged after "
        f"{tally.seconds:.1f} s; what was written goes up to there"
    )
