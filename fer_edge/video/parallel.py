"""Many videos at once: in processes of this machine, or on the workers of a Dask cluster."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.synchronize import Event

from msgspec.structs import replace

from fer_edge.config.model import Settings
from fer_edge.errors import UserError
from fer_edge.video.analyze import analyze
from fer_edge.video.jobs import Job
from fer_edge.video.statistics import Report

Progress = Callable[[int, int, int | None], None]  # number of the job, frames done, frames stated

TELL_EVERY = 8  # frames; a message to another process costs a tenth of a frame's work
LOOK_S = 0.1  # how often the messages of the workers are read


class _Worker:
    """What a worker process is given at its start: the way to its parent, and the word to stop."""

    told: "multiprocessing.Queue[tuple[int, int, int | None]]"
    stop: Event


def analyze_all(jobs: Sequence[Job], settings: Settings, processes: int, progress: Progress) -> Iterator[Report]:
    """The report of each video as it is finished; one that fails does not stop the others."""
    if min(processes, len(jobs)) <= 1:
        for number, job in enumerate(jobs):
            yield _attempt(job, settings, partial(progress, number), 0)
        return
    context = multiprocessing.get_context("spawn")  # a forked OpenCV may hang on locks its threads held
    told: multiprocessing.Queue[tuple[int, int, int | None]] = context.Queue()
    stop = context.Event()
    threads = max(1, (os.cpu_count() or 1) // processes)
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, _begin_worker, (told, stop))
    try:
        running = {pool.submit(_work, number, job, settings, threads): job for number, job in enumerate(jobs)}
        while running:
            done, _ = wait(running, LOOK_S, FIRST_COMPLETED)
            _pass_on(told, progress)
            for future in done:
                yield _outcome(future, running.pop(future))
    finally:
        stop.set()  # after Ctrl-C the workers leave in the middle, and take what is half written with them
        pool.shutdown(cancel_futures=True)


def analyze_on_cluster(jobs: Sequence[Job], settings: Settings, address: str) -> Iterator[Report]:
    """The same on the Dask scheduler at ``address``; every worker must see the same files under the same paths.

    Raises:
        UserError: the extra is missing, or nobody answers at the address.
    """
    try:
        from distributed import Client, as_completed  # noqa: PLC0415  the extra
    except ImportError as error:
        raise UserError(f"a cluster needs its extra: pip install 'fer-edge[cluster]' ({error})") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{address}: no Dask scheduler answers there, e.g. tcp://host:8786") from error
    with client:
        futures = {client.submit(_attempt, _absolute(job), settings, _silent, 1, pure=False): job for job in jobs}
        for future in as_completed(futures):
            source = futures[future].name  # as it was named here, which is how it is known here
            if future.status == "finished":
                yield replace(future.result(), source=source)
            else:
                yield Report(source=source, failure=f"{source}: {future.exception()}")


def _absolute(job: Job) -> Job:
    """The same for a worker, which has a working folder of its own."""
    return Job(job.source.absolute(), {kind: to.absolute() for kind, to in job.outputs.items()})


def _attempt(job: Job, settings: Settings, tell: Callable[[int, int | None], None], threads: int) -> Report:
    """The report of a video; a failure that a user can cure is in it, a bug is raised."""
    try:
        return analyze(job, settings, tell, threads)
    except UserError as error:
        return Report(source=job.name, failure=str(error))


def _silent(_done: int, _stated: int | None) -> None:
    """Nobody is told."""


def _begin_worker(told: "multiprocessing.Queue[tuple[int, int, int | None]]", stop: Event) -> None:
    """What a worker does first. Ctrl-C reaches the whole group of processes, but it is the parent that decides."""
    _Worker.told, _Worker.stop = told, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(number: int, job: Job, settings: Settings, threads: int) -> Report:
    def tell(done: int, stated: int | None) -> None:
        if done % TELL_EVERY == 0:
            if _Worker.stop.is_set():
                raise SystemExit(1)
            _Worker.told.put((number, done, stated))

    return _attempt(job, settings, tell, threads)


def _pass_on(told: "multiprocessing.Queue[tuple[int, int, int | None]]", progress: Progress) -> None:
    try:
        while True:
            progress(*told.get_nowait())
    except queue.Empty:
        return


def _outcome(future: "Future[Report]", job: Job) -> Report:
    try:
        return future.result()
    except BrokenProcessPool:
        failure = f"{job.name}: a worker was killed, perhaps for want of memory: try fewer --jobs"
        return Report(source=job.name, failure=failure)
