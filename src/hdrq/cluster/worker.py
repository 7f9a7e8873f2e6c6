"""Code of a worker process: a report of what is installed there, and the processing of chunks of a job's items."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

# a chunk uses all threads of its process
_ONE_AT_A_TIME = threading.Lock()
# the job begun last, by its digest
_BEGUN: dict[str, Callable[[Sequence[Any]], Iterator[Any]]] = {}


def run_chunk(
    digest: str, job: bytes, items: bytes, folder: str, threads: int, mark: str
) -> tuple[bytes, float]:
    """(pickled results of pickled items, seconds that they took without the beginning of the job).

    folder   current folder of the process that divides the work, which relative paths are relative to
    threads  of this process
    mark     of temporary files, by which they are found if this process ends
    """
    from hdrq.io.atomic import marked

    with _ONE_AT_A_TIME, _within(folder), marked(mark):
        if digest not in _BEGUN:
            _BEGUN.clear()
            _BEGUN[digest] = _begin(job, threads)
        start = time.perf_counter()
        results = list(_BEGUN[digest](pickle.loads(items)))
        return pickle.dumps(results), time.perf_counter() - start


def _begin(job: bytes, threads: int) -> Callable[[Sequence[Any]], Iterator[Any]]:
    from hdrq import process

    process.one_blas_thread()
    process.keep_freed_memory(_set_by_dask())
    work: Callable[[Sequence[Any]], Iterator[Any]] = pickle.loads(job).begin()
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
    return work


def _set_by_dask() -> list[str]:
    """Names of the environment variables that Dask sets for every worker process, where they have its values.

    Among them is MALLOC_TRIM_THRESHOLD_, with which glibc clears new pages for every step of a computation.
    """
    import dask

    settings = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return [name for name, value in settings.items() if os.environ.get(name) == str(value)]


@contextlib.contextmanager
def _within(folder: str) -> Iterator[None]:
    """In a folder, where it exists; absolute paths do not need it."""
    if not os.path.isdir(folder):
        yield
        return
    with contextlib.chdir(folder):
        yield


@cache
def source_digest() -> str:
    """Eight hexadecimal digits of all source files of hdrq, which distinguish two checkouts of one version."""
    home = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        digest.update(
            path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n")
        )
    return digest.hexdigest()[:8]


def installation_report() -> Callable[[str, Sequence[str]], dict[str, Any]]:
    """A function that pickles by value, for a worker that may have no hdrq, or another."""

    def report(folder: str, paths: Sequence[str]) -> dict[str, Any]:
        """What is installed on this machine, and the size of each path (None where there is none, -1 of a folder)."""
        import importlib.metadata
        import os
        import socket
        import sys

        found: dict[str, Any] = {"host": socket.gethostname(), "python": "{}.{}".format(*sys.version_info)}
        for package in ("hdrq", "torch"):
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                found[package] = None
        try:
            import hdrq

            found["hdrq"] = hdrq.__version__
            from hdrq.cluster.worker import source_digest

            found["source"] = source_digest()
        except ImportError:
            found["source"] = None
        sizes = []
        for path in paths:
            place = os.path.join(folder, path)
            sizes.append(
                -1 if os.path.isdir(place) else os.path.getsize(place) if os.path.isfile(place) else None
            )
        return {**found, "sizes": sizes}

    return report
