"""Parallel analysis: in processes of this machine, or on the workers of a Dask cluster."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.synchronize import Event
from typing import TypeAlias

from msgspec.structs import replace

from fer_edge.config.model import Settings
from fer_edge.errors import UserError
from fer_edge.video.analyze import analyze
from fer_edge.video.jobs import Job
from fer_edge.video.statistics import Report

Progress = Callable[[int, int, int | None], None]  # number of the job, frames done, frames stated
Updates: TypeAlias = "multiprocessing.Queue[tuple[int, int, int | None]]"  # the arguments of Progress

REPORT_EVERY = 8  # frames; a message to another process costs a tenth of a frame's analysis
POLL_S = 0.1  # interval at which progress of the workers is read


class _Worker:
    """State of a worker process: the queue to its parent, and the stop flag."""

    updates: Updates
    stop: Event


def analyze_all(jobs: Sequence[Job], settings: Settings, processes: int, progress: Progress) -> Iterator[Report]:
    """Yield the report of each video when it is finished; a failed video does not stop the others."""
    if min(processes, len(jobs)) <= 1:
        for number, job in enumerate(jobs):
            yield _attempt(job, settings, partial(progress, number), 0)
        return
    context = multiprocessing.get_context("spawn")  # a forked OpenCV may hang on its threads' locks
    updates: Updates = context.Queue()
    stop = context.Event()
    threads = max(1, (os.cpu_count() or 1) // processes)
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _begin_worker, (updates, stop))
    try:
        running = {pool.submit(_work, number, job, settings, threads): job for number, job in enumerate(jobs)}
        while running:
            done, _ = wait(running, POLL_S, FIRST_COMPLETED)
            _forward(updates, progress)
            for future in done:
                yield _outcome(future, running.pop(future))
    finally:
        stop.set()  # after Ctrl-C the workers stop at once and delete unfinished files
        pool.shutdown(cancel_futures=True)


def analyze_on_cluster(jobs: Sequence[Job], settings: Settings, address: str) -> Iterator[Report]:
    """Analyse on the Dask cluster at ``address``; every worker needs the same files under the same paths.

    Raises:
        UserError: the extra is missing, or the scheduler does not answer.
    """
    try:
        from distributed import Client, as_completed  # noqa: PLC0415  the extra
    except ImportError as error:
        raise UserError(f"--cluster needs an extra: pip install 'fer-edge[cluster]' ({error})") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{address}: no Dask scheduler answers at this address; it must be like tcp://host:8786"
        ) from error
    with client:
        futures = {client.submit(_attempt, _absolute(job), settings, _ignore, 1, pure=False): job for job in jobs}
        for future in as_completed(futures):
            source = futures[future].name  # the name in this process, not the worker's
            if future.status == "finished":
                yield replace(future.result(), source=source)
            else:
                yield Report(source=source, failure=f"{source}: {future.exception()}")


def _absolute(job: Job) -> Job:
    """Return the job with absolute paths: a worker has a working folder of its own."""
    return Job(job.source.absolute(), {kind: to.absolute() for kind, to in job.outputs.items()})


def _attempt(job: Job, settings: Settings, progress: Callable[[int, int | None], None], threads: int) -> Report:
    """Return the report of a video, with its failure if it is a UserError."""
    try:
        return analyze(job, settings, progress, threads)
    except UserError as error:
        return Report(source=job.name, failure=str(error))


def _ignore(_done: int, _stated: int | None) -> None:
    """Ignore progress."""


def _begin_worker(updates: Updates, stop: Event) -> None:
    """Initialise a worker. It ignores Ctrl-C, which reaches the whole process group: the parent decides."""
    _Worker.updates, _Worker.stop = updates, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(number: int, job: Job, settings: Settings, threads: int) -> Report:
    def report(done: int, stated: int | None) -> None:
        if done % REPORT_EVERY == 0:
            if _Worker.stop.is_set():
                raise SystemExit(1)
            _Worker.updates.put((number, done, stated))

    return _attempt(job, settings, report, threads)


def _forward(updates: Updates, progress: Progress) -> None:
    try:
        while True:
            progress(*updates.get_nowait())
    except queue.Empty:
        return


def _outcome(future: "Future[Report]", job: Job) -> Report:
    try:
        return future.result()
    except BrokenProcessPool:
        failure = f"{job.name}: a worker process was killed, possibly out of memory: use fewer --jobs"
        return Report(source=job.name, failure=failure)
