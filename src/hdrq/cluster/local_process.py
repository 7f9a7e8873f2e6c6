"""The program that is the parent of a scheduler and workers on this machine: it imports torch once, for all of them.

`hdrq.cluster.local` starts it, reads the scheduler's address from its standard output, and writes what workers there
shall be to its standard input, a line of JSON. A worker that dies is replaced. When standard input ends, so do all processes;
hence they do not outlive the process that divides the work.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import wait
from typing import Any

# elsewhere libraries do not endure it, and every process imports for itself
FORKS = sys.platform == "linux"
# seconds between the beginnings of two processes where the first one ends at once
PAUSE = 1.0
# They report every worker that comes or leaves.
LOGGERS = ("distributed", "bokeh", "tornado.application", "asyncio")
# what Dask does between the chunks takes a share of the cores that compute
SETTINGS = {
    # it samples every thread a hundred times a second
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "2s",
    # chunks are sent to workers by name
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
}


def main(own: Sequence[str]) -> None:
    """Start a scheduler, and keep the workers alive that standard input describes.

    own  variables of the environment that were set for the start of this process only
    """
    # who divides the work decides when it ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in own:
        os.environ.pop(name, None)
    answers = os.fdopen(os.dup(1), "w")
    # what a library prints is no answer
    os.dup2(2, 1)
    if FORKS:
        import_module("distributed")
    context: Any = multiprocessing.get_context("fork" if FORKS else "spawn")
    told, telling = context.Pipe(duplex=False)
    scheduler = context.Process(target=schedule, args=(telling,))
    scheduler.start()
    try:
        telling.close()
        if FORKS:
            # what workers import besides, and what takes long
            import_module("torch")
        address = told.recv()
        print(address, file=answers, flush=True)
        order = sys.stdin.buffer.readline()
        if order:
            _keep_alive(context, address, json.loads(order))
    finally:
        scheduler.kill()
        scheduler.join()
    # without the clearing up of what was imported, for which the command would wait
    os._exit(0)


def _keep_alive(context: Any, scheduler: str, workers: Sequence[Mapping[str, Any]]) -> None:
    def begin(worker: Mapping[str, Any]) -> tuple[Any, float]:
        process = context.Process(target=work, args=(scheduler, worker))
        process.start()
        return process, time.monotonic()

    running = [begin(worker) for worker in workers]
    end = _end_of_input()
    try:
        while end not in wait([end, *(process.sentinel for process, _ in running)]):
            for place, (process, since) in enumerate(running):
                if process.is_alive():
                    continue
                if wait([end], max(0.0, since + PAUSE - time.monotonic())):
                    return
                process.join()
                running[place] = begin(workers[place])
    finally:
        for process, _ in running:
            process.kill()
        for process, _ in running:
            process.join()


def _end_of_input() -> Any:
    """What `wait` reports when standard input ends."""
    if os.name == "posix":
        return sys.stdin.fileno()
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def watch() -> None:
        sys.stdin.buffer.read()
        theirs.close()

    threading.Thread(target=watch, daemon=True).start()
    return ours


def schedule(telling: Any) -> None:
    """The scheduler, which tells its address."""
    from distributed import Scheduler

    async def run() -> None:
        page: dict[str, Any] = {
            "dashboard": find_spec("bokeh") is not None,
            "dashboard_address": "127.0.0.1:0",
        }
        async with Scheduler(host="127.0.0.1", port=0, **page) as scheduler:
            telling.send(scheduler.address)
            await scheduler.finished()

    _run(run)


def work(scheduler: str, worker: Mapping[str, Any]) -> None:
    """One worker, until it loses its scheduler.

    worker  "threads", and "environment": variables of its own
    """
    import torch
    from distributed import Worker

    os.environ.update(worker["environment"], OMP_NUM_THREADS=str(worker["threads"]))
    torch.set_num_threads(worker["threads"])

    async def run() -> None:
        options: dict[str, Any] = {"nthreads": worker["threads"], "host": "127.0.0.1", "dashboard": False}
        # Memory is limited by hdrq and by the system.
        limits: dict[str, Any] = {"memory_limit": 0, "local_directory": tempfile.gettempdir()}
        async with Worker(scheduler, **options, **limits) as running:
            await running.finished()

    _run(run)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(server: Callable[[], Coroutine[Any, Any, None]]) -> None:
    import asyncio

    import dask

    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with dask.config.set(SETTINGS):
        asyncio.run(server())
