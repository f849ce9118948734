"""Analysis of one saved video: every frame through the daemon's pipeline, and the requested outputs."""

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

# Of the length: a container's own is rounded, and may include a last frame or sound packet that is missing.
TOLERANCE = 0.05
SLACK_S = 0.5
# frames done, frames stated by the container (None if it states none)
Progress = Callable[[int, int | None], None]
# Containers that compute their count from length and rate are off by up to 3% (measured).
COUNT_TOLERANCE = 0.05
COUNT_SLACK = 5


def reaches_its_end(path: Path) -> bool:
    """Return whether a file can be read up to the length that its container states.

    False if the container counts its frames (the count decides then), and without PyAV (extra `video`).
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
            # A segment of a longer video may keep its start time, and state its end time as its length.
            from_s = 0.0 if 0.0 < begin_s < stated_s else begin_s
            ends = (
                float((packet.pts + (packet.duration or 0)) * packet.time_base)
                for packet in container.demux()
                if packet.size and packet.pts is not None
            )
            return max(ends, default=begin_s) - from_s >= stated_s * (1.0 - TOLERANCE) - SLACK_S
    except av.error.FFmpegError:
        return False


def analyze(job: Job, settings: Settings, progress: Progress, threads: int = 0) -> Report:
    """Analyse a video, write its outputs and return its figures.

    A damaged video gives its outputs up to the damage and a report with a `failure`.

    Raises:
        UserError: it cannot be read at all, or an output cannot be written; then there is no output.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        report = _run(job, settings, progress, threads, stack)
    outputs = {output.value: printable_path(path) for output, path in job.outputs.items()}
    return replace(report, took_s=round(time.monotonic() - began, 3), outputs=outputs)


def _run(job: Job, settings: Settings, progress: Progress, threads: int, stack: ExitStack) -> Report:
    """Run the pipeline; the outputs move to their paths when ``stack`` is closed."""
    source = VideoFile(CameraSettings(source=_as_named(job.source)))
    stack.callback(source.close)
    vision = build_analyzer(settings)
    origin = Origin(
        decide=settings.decide,
        lost_s=settings.track.lost_s,
        model=vision.classifier.card.sha256,
        source=job.source.name,
    )
    statistics, observers, events = Statistics(), list[PipelineObserver](), EventFile()
    for output, path in job.outputs.items():
        part = stack.enter_context(atomic_output(path))
        match output:
            case Output.VIDEO:
                observers.append(stack.enter_context(AnnotatedVideo(part, path, threads)))
            case Output.EVENTS:
                events = EventFile(stack.enter_context(_opened(part, path)))
            case Output.SCORES:
                table = io.TextIOWrapper(_opened(part, path), encoding="utf-8", newline="")
                observers.append(ScoreTable(stack.enter_context(table), origin))
            case Output.TIMELINE:
                observers.append(stack.enter_context(_timeline(part, path, printable_path(Path(job.source.name)))))
    detector = EventDetector(settings.decide, settings.track.lost_s)
    pipeline = Pipeline(vision.analyze, detector, events, (statistics, *observers))
    for frame in play(source, PrivacyMask(settings.privacy.zones).apply):
        pipeline.step(frame)
        progress(statistics.frames, source.stated_frames)
    pipeline.close(statistics.seconds, "stopped")
    return replace(statistics.report(job.name), failure=_truncation(job.source, statistics, source.stated_frames))


def _as_named(path: Path) -> str:
    """Return the path as text. The shell has resolved `~` already; one that is left is part of the name."""
    return str(path.absolute() if str(path).startswith("~") else path)


def _opened(part: Path, output: Path) -> io.BufferedWriter:
    return io.BufferedWriter(OutputFile(part, output))


@contextmanager
def _timeline(part: Path, output: Path, title: str) -> Iterator[Traces]:
    """Return the traces, drawn at the end of the block if it ends without an error."""
    with output_errors(output):  # matplotlib creates its cache folder
        timeline.require()
    traces = Traces()
    yield traces
    with output_errors(output):
        timeline.draw_timeline(traces, title, part)


def _truncation(path: Path, statistics: Statistics, stated: int | None) -> str | None:
    """Return the failure of a video that ends before its stated number of frames, else None."""
    if stated is None or statistics.frames >= stated * (1.0 - COUNT_TOLERANCE) - COUNT_SLACK or reaches_its_end(path):
        return None
    return (
        f"{printable_path(path)}: only {statistics.frames} of {stated} frames can be read, the file is damaged after "
        f"{statistics.seconds:.1f} s; the outputs end there"
    )
