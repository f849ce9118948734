"""One saved video through the daemon's own pipeline, every frame of it, and what is asked for written out."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from fer_edge.capture.sources import play
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings, Settings
from fer_edge.events.lifecycle import EventDetector
from fer_edge.files import OutputFile, atomic_output, output_errors, printable_path
from fer_edge.masks import PrivacyMask
from fer_edge.pipeline import Pipeline, PipelineObserver
from fer_edge.recording.format import Origin
from fer_edge.video import timeline
from fer_edge.video.annotated import AnnotatedVideo
from fer_edge.video.jobs import Job, Output
from fer_edge.video.statistics import Report, Statistics
from fer_edge.video.tables import EventFile, ScoreTable
from fer_edge.video.timeline import Traces
from fer_edge.vision.analyzer import build_analyzer

# Of the length; a container's own is rounded, and may count a last picture or a last piece of sound that is not there.
TOLERANCE = 0.05
SLACK_S = 0.5
# frames done, frames that the file says it has (None where it does not)
Tell = Callable[[int, int | None], None]
# Containers that make their count up from length and rate are off by up to three frames in a hundred, measured.
COUNT_TOLERANCE = 0.05
COUNT_SLACK = 5


def reaches_its_end(path: Path) -> bool:
    """Whether what can be read of a file goes as far as the length that its container states.

    False also for a container that counts its pictures: there the count is what has to be reached. And without PyAV,
    which comes with the extra `video`.
    """
    try:
        import av  # noqa: PLC0415  the extra
    except ImportError:
        return False
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path.absolute())) as container:
            if container.duration is None or any(stream.frames for stream in container.streams.video):
                return False
            stated_s = container.duration / av.time_base
            begin_s = (container.start_time or 0) / av.time_base
            # A segment of a longer video may keep its place in it, and state where it ends for how long it is.
            from_s = 0.0 if 0.0 < begin_s < stated_s else begin_s
            ends = (
                float((packet.pts + (packet.duration or 0)) * packet.time_base)
                for packet in container.demux()
                if packet.size and packet.pts is not None
            )
            return max(ends, default=begin_s) - from_s >= stated_s * (1.0 - TOLERANCE) - SLACK_S
    except av.error.FFmpegError:
        return False


def analyze(job: Job, settings: Settings, tell: Tell, threads: int = 0) -> Report:
    """The figures of a video, after all outputs are in their place.

    A video that ends early, in garbage, gives its outputs up to there and a report with a `failure`.

    Raises:
        UserError: it cannot be read at all, or an output cannot be written; then none is.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        report = _run(job, settings, tell, threads, stack)
    outputs = {output.value: printable_path(path) for output, path in job.outputs.items()}
    return replace(report, took_s=round(time.monotonic() - began, 3), outputs=outputs)


def _run(job: Job, settings: Settings, tell: Tell, threads: int, stack: ExitStack) -> Report:
    """The work itself; the outputs move to their places when ``stack`` is closed."""
    source = VideoFile(CameraSettings(source=_as_named(job.source)))
    stack.callback(source.close)
    vision = build_analyzer(settings)
    origin = Origin(
        decide=settings.decide,
        lost_s=settings.track.lost_s,
        model=vision.classifier.card.sha256,
        source=job.source.name,
    )
    tally, observeres, events = Statistics(), list[PipelineObserver](), EventFile()
    for output, path in job.outputs.items():
        part = stack.enter_context(atomic_output(path))
        match output:
            case Output.VIDEO:
                observeres.append(stack.enter_context(AnnotatedVideo(part, path, threads)))
            case Output.EVENTS:
                events = EventFile(stack.enter_context(_opened(part, path)))
            case Output.SCORES:
                table = io.TextIOWrapper(_opened(part, path), encoding="utf-8", newline="")
                observeres.append(ScoreTable(stack.enter_context(table), origin))
            case Output.TIMELINE:
                observeres.append(stack.enter_context(_timeline(part, path, printable_path(Path(job.source.name)))))
    decider = EventDetector(settings.decide, settings.track.lost_s)
    pipeline = Pipeline(vision.see, decider, events, (tally, *observeres))
    for frame in play(source, PrivacyMask(settings.privacy.zones).apply):
        pipeline.step(frame)
        tell(tally.frames, source.stated_frames)
    pipeline.close(tally.seconds, "stopped")
    return replace(tally.report(job.name), failure=_cut_short(job.source, tally, source.stated_frames))


def _as_named(path: Path) -> str:
    """The file of that very name. A shell has resolved `~` already; one that is left would be taken for a home."""
    return str(path.absolute() if str(path).startswith("~") else path)


def _opened(part: Path, output: Path) -> io.BufferedWriter:
    return io.BufferedWriter(OutputFile(part, output))


@contextmanager
def _timeline(part: Path, output: Path, title: str) -> Iterator[Traces]:
    """The traces, drawn at the end where all went well."""
    with output_errors(output):  # matplotlib looks for a place for its cache
        timeline.require()
    traces = Traces()
    yield traces
    with output_errors(output):
        timeline.draw_timeline(traces, title, part)


def _cut_short(path: Path, tally: Statistics, stated: int | None) -> str | None:
    """The line that says that a video ended before it said it would, None where it did not."""
    if stated is None or tally.frames >= stated * (1.0 - COUNT_TOLERANCE) - COUNT_SLACK or reaches_its_end(path):
        return None
    return (
        f"{printable_path(path)}: only {tally.frames} of {stated} frames can be read, the file is damaged after "
        f"{tally.seconds:.1f} s; what was written goes up to there"
    )
