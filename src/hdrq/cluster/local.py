"""A scheduler and workers that are processes of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from hdrq.cluster.workers import ClusterError
from hdrq.errors import UsageError

LOCAL = re.compile(r"local(?::(\d+))?")
# for the start of the processes
OWN = {
    # memory that one thread of a worker frees is used again by the others
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_PROGRAM = "import json, sys; sys.path[:], own = json.loads(sys.argv[1]); from hdrq.cluster.local_process import main; main(own)"


class Processes:
    """A scheduler and workers of this machine, whose parent imports what they need from the moment that this is made."""

    def __init__(self) -> None:
        own = {name: value for name, value in OWN.items() if name not in os.environ}
        command = [
            sys.executable,
            "-c",
            _PROGRAM,
            json.dumps([[p for p in sys.path if isinstance(p, str)], list(own)]),
        ]
        self._parent = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | own
        )
        self._serves = False

    def serve(self, workers: list[dict[str, Any]]) -> str:
        """Let workers begin (see `hdrq.cluster.local_process`); returns the scheduler's address.

        raises  ClusterError where there is none
        """
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._serves = True
        # it has ended, and gives no address
        with suppress(OSError):
            self._parent.stdin.write(json.dumps(workers).encode() + b"\n")
            self._parent.stdin.flush()
        address = self._parent.stdout.readline().decode().strip()
        if not address:
            raise ClusterError(
                f"the processes of this machine did not start (exit code {self._parent.wait()}); see what they printed above"
            )
        return address

    def close(self) -> None:
        """End all processes at once."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        if not self._serves:
            self._parent.kill()
        with suppress(OSError):
            self._parent.stdin.close()
        try:
            self._parent.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._parent.kill()
            self._parent.wait()
        self._parent.stdout.close()


def prepare(where: str) -> Processes | None:
    """The beginning of what `connect(where)` starts on this machine, which takes as long as importing torch here; or None."""
    if LOCAL.fullmatch(where) is None or find_spec("distributed") is None:
        return None
    return Processes()


@contextmanager
def local_workers(count: int, device: str, prepared: Processes | None) -> Iterator[tuple[str, int]]:
    """(address of a scheduler, number of workers) on this machine: one a GPU, or `count` that share its cores."""
    processes = prepared or Processes()
    try:
        cores, gpus = _cores(), gpus_for(device)
        if gpus and count > len(gpus):
            raise UsageError(
                f"this machine has {len(gpus)} GPUs, and one process works on each; use local:{len(gpus)}, or --device cpu"
            )
        count = count or len(gpus) or cores
        threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, cores // count))
        workers = [
            {"threads": threads, "environment": {"CUDA_VISIBLE_DEVICES": gpus[i]} if gpus else {}}
            for i in range(count)
        ]
        yield processes.serve(workers), count
    finally:
        processes.close()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus_for(device: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES names each GPU that the work may use."""
    if device == "cpu":
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    named = [d for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d.strip()]
    return named or [str(i) for i in range(torch.cuda.device_count())]
