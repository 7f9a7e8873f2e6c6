"""Where the workers are: processes of this machine, a running scheduler, or jobs of a queueing system."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hdrq.cluster.spread import Cluster
from hdrq.cluster.workers import ClusterError
from hdrq.errors import FileError, MissingPart, UsageError

ANSWER = 10.0  # seconds that a scheduler has to answer
PATIENCE = 60.0  # seconds without any worker, after which a run ends
QUEUED = 7 * 86400.0  # the same where workers wait in a queue
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
def connect(
    where: str, say: Callable[[str], object] = lambda line: None, device: str = "auto"
) -> Iterator[Cluster]:
    """The workers of `local`, `local:N`, `tcp://HOST:PORT` (or tls://) or FILE.toml, until the block ends.

    say     receives lines for the user: the dashboard's address, waiting, skipped workers
    device  that the work asks for; processes of this machine have a GPU each if there are any and it is not "cpu"
    raises  UsageError for another text, MissingPart without dask, ClusterError where no scheduler or worker answers
    """
    distributed = _distributed()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if re.fullmatch(r"local(:\d+)?", where):
            scheduler = stack.enter_context(_local(int(where.partition(":")[2] or 0), device))
            patience, wait = PATIENCE, PATIENCE
        elif re.match(r"(tcp|tls)://", where):
            scheduler, patience, wait = where, PATIENCE, PATIENCE
        elif where.endswith(".toml"):
            scheduler = stack.enter_context(_queued(Path(where), say))
            patience, wait = QUEUED, QUEUED
        else:
            raise UsageError(f"--cluster is local, local:N, tcp://HOST:PORT or FILE.toml, not '{where}'")
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=ANSWER, set_as_default=False))
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(f"no scheduler answers at {where}; start one: dask scheduler") from error
        if address := _dashboard(client):
            say(f"hdrq: dashboard: {address}")
        try:
            client.wait_for_workers(1, timeout=wait)
        except TimeoutError as error:
            raise ClusterError(
                f"no worker came to {where} in {wait:.0f} seconds; start some: dask worker {client.scheduler.address}"
            ) from error
        yield Cluster(client, patience, say)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingPart("--cluster needs dask and distributed; pip install 'hdrq[cluster]'") from error
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log of distributed, which reports every worker that connects or leaves."""
    loggers = [logging.getLogger(name) for name in ("distributed", "bokeh", "tornado.application", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _local(count: int, device: str) -> Iterator[Any]:
    """Worker processes of this machine: one a GPU, or `count` that share its cores."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    cores, gpus = _cores(), _gpus(device)
    if gpus and count > len(gpus):
        raise UsageError(
            f"this machine has {len(gpus)} GPUs, and one process works on each; use local:{len(gpus)}, or --device cpu"
        )
    count = count or len(gpus) or cores
    threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, cores // count))
    with tempfile.TemporaryDirectory(prefix="hdrq-cluster-") as home:
        workers = {}
        for i in range(count):
            environment = {"CUDA_VISIBLE_DEVICES": gpus[i]} if gpus else {}
            options = {
                "nthreads": threads,
                "memory_limit": 0,  # memory is limited by hdrq and by the system
                "host": "127.0.0.1",
                "local_directory": home,
                "silence_logs": logging.CRITICAL,
                "dashboard": False,
                "env": environment,
            }
            workers[i] = {"cls": Nanny, "options": options}
        scheduler = {
            "cls": Scheduler,
            "options": {
                "host": "127.0.0.1",
                "port": 0,
                "dashboard_address": "127.0.0.1:0",
                "dashboard": _has_bokeh(),
            },
        }
        own = {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": 1,
            "MALLOC_ARENA_MAX": 1,  # memory that one thread of a worker frees is used again by the others
        }
        settings = {
            "distributed.nanny.pre-spawn-environ": own,
            "distributed.worker.multiprocessing-method": "spawn",
            # what Dask does between the chunks takes a share of the cores that compute
            "distributed.worker.profile.enabled": False,  # it samples every thread a hundred times a second
            "distributed.admin.tick.interval": "1s",
            "distributed.admin.system-monitor.interval": "2s",
            "distributed.scheduler.work-stealing": False,  # chunks are sent to workers by name
            "distributed.scheduler.active-memory-manager.start": False,
        }
        with (
            _unchanged([*own, "PYTHONHASHSEED", "__DASK_PARENT_PID"]),  # all that Dask sets
            dask.config.set(settings),
            SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL) as cluster,
        ):
            yield cluster


@contextmanager
def _unchanged(names: Iterable[str]) -> Iterator[None]:
    """The variables of the environment as they were, after Dask has set them here in order that workers inherit them."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus(device: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES names each GPU that the work may use."""
    if device == "cpu":
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    named = [d for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d.strip()]
    return named or [str(i) for i in range(torch.cuda.device_count())]


def _has_bokeh() -> bool:
    from importlib.util import find_spec

    return find_spec("bokeh") is not None


def _dashboard(client: Any) -> str:
    """Address of the scheduler's web page; "" where there is none, as without bokeh on the scheduler's machine."""
    from urllib.request import ProxyHandler, build_opener

    try:
        address = str(client.dashboard_link or "")
        if address.startswith(("http://", "https://")):
            # its list of plots; to open the page itself would start a session, which is redrawn for as long as the run
            listed = address.rpartition("/")[0] + "/individual-plots.json"
            with build_opener(ProxyHandler({})).open(listed, timeout=2) as answer:
                return address if len(answer.read(8)) > 2 else ""
    except (KeyError, AttributeError, OSError, ValueError):
        pass
    return ""


@contextmanager
def _queued(path: Path, say: Callable[[str], object]) -> Iterator[Any]:
    """Jobs of a queueing system, described by a file: `kind`, `jobs`, and the table [settings] of dask-jobqueue."""
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
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: dask-jobqueue refuses the settings: {' '.join(str(error).split())[:200]}"
        ) from error
    with cluster:
        cluster.scale(jobs=jobs)
        say(f"hdrq: {jobs} {kind} jobs are submitted; the work begins with the first one that starts")
        yield cluster


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
