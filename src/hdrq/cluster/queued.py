"""Workers that are jobs of a queueing system: SLURM, PBS, LSF, SGE and others, by dask-jobqueue.

A job that ends, as at its walltime, is submitted again. `cluster.adapt` of dask-jobqueue does this for jobs of one worker
only (it compares names of workers with names of jobs), and reports no error of the queueing system.
"""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hdrq.cluster.workers import ClusterError
from hdrq.errors import FileError, MissingPart, UsageError

# seconds between two checks of the jobs
CHECK = 5.0
# seconds without any worker of a job, after which it has ended; longer than distributed.deploy.lost-worker-timeout (15)
GONE = 20.0
# seconds; a job that worked for less, twice in a row, is submitted after a pause, which grows
SOON = 60.0
# the classes of dask-jobqueue
KINDS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
    "local": "local.LocalCluster",
}


@contextmanager
def queued_workers(path: Path, say: Callable[[str], object]) -> Iterator[Any]:
    """A scheduler here and submitted jobs, as a file describes them: `kind`, `jobs`, and the table [settings] of dask-jobqueue.

    raises  FileError, UsageError where the file is wrong, ClusterError where the queueing system takes no job
    """
    kind, jobs, settings = _read(path)
    try:
        import dask_jobqueue
        import dask_jobqueue.local
    except ImportError as error:
        raise MissingPart(f"{path} needs dask-jobqueue; pip install 'hdrq[cluster]'") from error
    cls: Any = dask_jobqueue
    for part in KINDS[kind].split("."):
        cls = getattr(cls, part)
    try:
        cluster = cls(**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path}: dask-jobqueue refuses the settings: {_line(error)}") from error

    queue = _Jobs(cluster, kind, jobs, say)
    with cluster:
        try:
            cluster.sync(queue.submit)
        except OSError as error:
            command = cls.job_cls.submit_command
            raise ClusterError(
                f"{path}: {command} cannot be run here ({error.strerror or error}); start this where {kind} jobs are submitted"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ClusterError(f"{path}: {kind} takes no job: {_line(error)}") from error
        say(f"hdrq: {jobs} {kind} jobs are submitted; the work begins with the first one that starts")
        cluster.sync(queue.watch)
        try:
            yield cluster
        finally:
            cluster.sync(queue.leave)


class _Jobs:
    """The jobs of a cluster of dask-jobqueue. All methods run in its event loop."""

    def __init__(self, cluster: Any, kind: str, jobs: int, say: Callable[[str], object]) -> None:
        self.cluster, self.kind, self.jobs, self.say = cluster, kind, jobs, say
        # job: when a worker of it was seen first, and last
        self.seen: dict[str, tuple[float, float]] = {}
        # job: from when on it is submitted again
        self.ended: dict[str, float] = {}
        # job: how often in a row it ended soon
        self.short: Counter[str] = Counter()
        # of the queueing system, the last one
        self.refusal = ""
        self.watching: Any = None

    async def submit(self) -> None:
        """Submit the jobs that are missing."""
        from distributed.core import Status

        self.cluster.scale(jobs=self.jobs)
        try:
            # By scale() alone nobody hears of an error.
            await self.cluster._correct_state()
        except BaseException:
            for name, job in list(self.cluster.workers.items()):
                # Else the end of the block, which cancels them, does not expect them.
                job.status = Status.closing
                if job.job_id is None:
                    del self.cluster.workers[name]
            raise

    async def watch(self) -> None:
        """From now on submit jobs again that have ended."""
        from tornado.ioloop import PeriodicCallback

        self.watching = PeriodicCallback(self.check, 1000 * CHECK)
        self.watching.start()

    async def leave(self) -> None:
        """Submit none any more."""
        self.watching.stop()

    async def check(self) -> None:
        """Submit jobs again whose workers have all left; one that has none yet waits in the queue."""
        now = time.monotonic()
        for worker in list(self.cluster.scheduler.workers.values()):
            if job := job_of(str(worker.name), self.cluster.worker_spec):
                self.seen[job] = self.seen.get(job, (now, now))[0], now
        for job, (first, last) in list(self.seen.items()):
            if now - last > GONE:
                del self.seen[job]
                self.short[job] = self.short[job] + 1 if last - first < SOON else 0
                # A job that cannot work shall not be submitted a thousand times.
                pause = SOON * 2 ** (min(self.short[job], 7) - 2) if self.short[job] > 1 else 0.0
                self.ended[job] = now + pause
                self.say(
                    f"hdrq: {self.kind} job {job} has ended after {last - first:.0f} seconds of work; "
                    f"it is submitted again{f' in {pause:.0f} seconds' if pause else ''}"
                )
        for job in [job for job, when in self.ended.items() if when <= now]:
            if (gone := self.cluster.workers.pop(job, None)) is not None:
                await gone.close()
            try:
                await self.submit()
                del self.ended[job]
            except (OSError, RuntimeError, ValueError) as error:
                self.ended[job] = now + SOON
                if (refusal := _line(error)) != self.refusal:
                    self.say(
                        f"hdrq: {self.kind} takes no job: {refusal}; the next attempt is in {SOON:.0f} seconds"
                    )
                self.refusal = refusal


def job_of(worker: str, jobs: Collection[str]) -> str:
    """The job that a worker belongs to, by their names: NAME is of one worker, NAME-0, NAME-1 ... of several; or ""."""
    return next((name for name in (worker, worker.rpartition("-")[0]) if name in jobs), "")


def _line(error: BaseException) -> str:
    """What the program behind an error has said, in one line."""
    return " ".join(str(error).rpartition("stderr:")[2].split())[:200] or type(error).__name__


def _read(path: Path) -> tuple[str, int, dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FileError(f"{path} is not TOML: {error}") from error
    kind, jobs, settings = found.pop("kind", None), found.pop("jobs", None), found.pop("settings", {})
    if kind not in KINDS:
        raise FileError(f"{path}: kind is one of {', '.join(KINDS)}, not {kind!r}")
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise FileError(f"{path}: jobs is the number of jobs to start, such as jobs = 8, not {jobs!r}")
    if found or not isinstance(settings, dict):
        raise FileError(
            f"{path} has kind, jobs and the table [settings]; {', '.join(found) or 'settings'} is not known"
        )
    return kind, jobs, settings
