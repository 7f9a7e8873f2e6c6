"""Workers that are jobs of a queueing system: SLURM, PBS, LSF, SGE and others, by dask-jobqueue."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hdrq.cluster.workers import ClusterError
from hdrq.errors import FileError, MissingPart, UsageError

KINDS = {  # the classes of dask-jobqueue
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
        from distributed.core import Status
    except ImportError as error:
        raise MissingPart(f"{path} needs dask-jobqueue; pip install 'hdrq[cluster]'") from error
    cls: Any = dask_jobqueue
    for part in KINDS[kind].split("."):
        cls = getattr(cls, part)
    try:
        cluster = cls(**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path}: dask-jobqueue refuses the settings: {_line(error)}") from error

    async def submit() -> None:
        cluster.scale(jobs=jobs)
        try:
            await cluster._correct_state()  # which submits them; by scale() alone nobody hears of an error
        except BaseException:
            for name, job in list(cluster.workers.items()):
                # Else the end of the block, which cancels them, does not expect them.
                job.status = Status.closing
                if job.job_id is None:
                    del cluster.workers[name]
            raise

    with cluster:
        try:
            cluster.sync(submit)
        except OSError as error:
            command = cls.job_cls.submit_command
            raise ClusterError(
                f"{path}: {command} cannot be run here ({error.strerror or error}); start this where {kind} jobs are submitted"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ClusterError(f"{path}: {kind} takes no job: {_line(error)}") from error
        say(f"hdrq: {jobs} {kind} jobs are submitted; the work begins with the first one that starts")
        yield cluster


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
