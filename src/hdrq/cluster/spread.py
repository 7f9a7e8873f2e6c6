"""A job's items divided among workers: chunks go to workers by name, so that it is known what a worker that dies was doing."""

from __future__ import annotations

import hashlib
import heapq
import os
import pickle
import queue
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import Any, TypeVar

from hdrq.cluster.pace import Chunk, Pace
from hdrq.cluster.worker import run_chunk
from hdrq.cluster.workers import REFRESH, ClusterError, Workers
from hdrq.io.atomic import remove_marked
from hdrq.work import Job, Needs

Item = TypeVar("Item")
Result = TypeVar("Result")
# chunks sent to a worker: the one it works on, and the next
DEPTH = 2
# of workers on one item, until it counts as lost
DEATHS = 3
# deaths in a row of workers that were beginning the job, after which the run ends
BEGINNINGS = 9
# items that may be finished before the earliest unfinished one, at least
WINDOW = 4096
# parts that a chunk is divided into when its worker died
PIECES = 8


@dataclass(frozen=True)
class Cluster:
    """The `Spread` over the workers of a scheduler.

    client    of dask.distributed
    patience  seconds to wait for workers to come back where all are gone
    say       receives lines for the user
    left      marks and folders of the chunks that workers had when a run was broken off; see `remove_temporary_files`
    """

    client: Any
    patience: float
    say: Callable[[str], object]
    left: list[tuple[str, set[str]]] = field(default_factory=list)

    def __call__(
        self,
        job: Job[Item, Result],
        items: Iterable[Item],
        *,
        total: int | None = None,
        done: Callable[[Item, Result], None] | None = None,
    ) -> Iterator[Result]:
        """A result for each item, in order; see `hdrq.work.Spread`."""
        coming = iter(items)
        first = list(islice(coming, 1))
        if not first:
            return
        division = _Division(self, job, chain(first, coming), total, done, job.needs(first[0]))
        try:
            yield from division.results()
        finally:
            division.close()

    def remove_temporary_files(self) -> None:
        """Remove what workers were writing when a run was broken off."""
        for mark, folders in self.left:
            for folder in folders:
                remove_marked(mark, folder)
        self.left.clear()


class _Division:
    """One job being divided."""

    def __init__(
        self,
        cluster: Cluster,
        job: Any,
        items: Iterator[Any],
        total: int | None,
        done: Callable[[Any, Any], None] | None,
        needs: Needs,
    ) -> None:
        self.cluster, self.job, self.items, self.total, self.done = cluster, job, items, total, done
        self.pickled = pickle.dumps(job)
        self.digest = hashlib.sha256(self.pickled).hexdigest()
        self.workers = Workers(cluster.client, needs, cluster.say)
        self.pace = Pace()
        # a heap: the earliest first
        self.again: list[Chunk] = []
        # by worker, in the order of sending
        self.sent: dict[str, deque[tuple[Chunk, Any]]] = {}
        # worker of each future's key
        self.owner: dict[str, str] = {}
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ready: dict[int, Any] = {}
        # items taken from the source, and results given
        self.taken = self.given = 0
        self.exhausted = False
        # time of the last check of the workers
        self.refreshed = -1e9
        self.alone_since: float | None = None
        # of this run, and of its chunks
        self.name, self.numbers = secrets.token_hex(8), count()
        # since a worker began the job
        self.failed_beginnings = 0

    def results(self) -> Iterator[Any]:
        while True:
            self._refresh_workers()
            self._send()
            while self.given in self.ready:
                yield self.ready.pop(self.given)
                self.given += 1
            working = any(chunk.items for chunks in self.sent.values() for chunk, _ in chunks)
            if self.exhausted and not self.again and not working:
                return
            self._wait()

    def close(self) -> None:
        """Withdraw what was sent and not finished."""
        sent = [each for chunks in self.sent.values() for each in chunks]
        self.cluster.left.extend((future.key, self._folders(chunk)) for chunk, future in sent)
        if waiting := [future for _, future in sent]:
            try:
                self.cluster.client.cancel(waiting)
            except Exception:
                # the scheduler is gone, and the chunks with it
                self.sent.clear()

    def _refresh_workers(self) -> None:
        """Every now and then: who has come, who has left."""
        now = time.monotonic()
        if now - self.refreshed < REFRESH:
            return
        for address in self.workers.refresh():
            self._handle_loss(address)
        for address in self.workers.threads:
            # what dies while it loads what the job needs, did not die of an item
            if address not in self.sent:
                self.sent[address] = deque()
                self._submit(address, Chunk(-1, []))
        self.refreshed = time.monotonic()
        if self.workers.threads:
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = self.refreshed
        elif self.refreshed - self.alone_since > self.cluster.patience:
            raise ClusterError(
                f"all workers are gone, and none came back in {self.cluster.patience:.0f} seconds; "
                "start workers and go on with --resume"
            )

    def _send(self) -> None:
        # every worker has work before any has more
        for depth in range(DEPTH):
            if depth and self.total is not None and self.total - self.taken <= len(self.sent):
                # the last items are for the workers that are free first
                return
            for address, chunks in self.sent.items():
                if len(chunks) == depth and not any(chunk.suspect for chunk, _ in chunks):
                    chunk = self._next(alone=not chunks)
                    if chunk is not None:
                        self._submit(address, chunk)

    def _next(self, alone: bool) -> Chunk | None:
        """The earliest chunk to do; one that is suspect only for a worker that has nothing else."""
        if self.again:
            return heapq.heappop(self.again) if alone or not self.again[0].suspect else None
        if self.exhausted or self.taken - self.given >= max(
            WINDOW, 8 * len(self.sent) * self.pace.size(None, 1)
        ):
            return None
        remaining = None if self.total is None else self.total - self.taken
        items = list(islice(self.items, self.pace.size(remaining, len(self.sent))))
        if not items:
            self.exhausted = True
            return None
        self.taken += len(items)
        return Chunk(self.taken - len(items), items)

    def _submit(self, address: str, chunk: Chunk) -> None:
        arguments = (
            self.digest,
            self.pickled,
            pickle.dumps(chunk.items),
            os.getcwd(),
            self.workers.threads[address],
            key := f"hdrq-{self.name}-{next(self.numbers)}",
        )
        future = self.cluster.client.submit(
            run_chunk, *arguments, key=key, workers=[address], allow_other_workers=False, pure=False
        )
        self.sent[address].append((chunk, future))
        self.owner[key] = address
        future.add_done_callback(self.events.put)

    def _wait(self) -> None:
        """Take in what is finished; returns after REFRESH seconds at the latest."""
        try:
            future = self.events.get(timeout=REFRESH)
        except queue.Empty:
            return
        while True:
            self._take(future)
            try:
                future = self.events.get_nowait()
            except queue.Empty:
                return

    def _take(self, future: Any) -> None:
        address = self.owner.pop(future.key, None)
        # of a worker that was found dead before
        if address is None:
            return
        found = self.workers.result(future, address)
        if found is None:
            self.owner[future.key] = address
            # the next check finds that the worker left
            self.refreshed = -1e9
            self._handle_loss(address)
            return
        chunks = self.sent[address]
        chunk = next(c for c, f in chunks if f.key == future.key)
        self.sent[address] = deque((c, f) for c, f in chunks if f.key != future.key)
        future.release()
        results, seconds = found
        if not chunk.items:
            self.failed_beginnings = 0
            return
        self.pace.measure(len(chunk.items), seconds)
        for number, (item, result) in enumerate(zip(chunk.items, pickle.loads(results), strict=True)):
            self._finish(chunk.first + number, item, result)

    def _finish(self, number: int, item: Any, result: Any) -> None:
        self.ready[number] = result
        if self.done is not None:
            self.done(item, result)

    def _handle_loss(self, address: str) -> None:
        """Handle the loss of a worker: its current items are suspect, its waiting ones are given to others."""
        self.workers.threads.pop(address, None)
        chunks = self.sent.pop(address, deque())
        for place, (chunk, future) in enumerate(chunks):
            self.owner.pop(future.key, None)
            died_on_it = place == 0
            future.cancel()
            for folder in self._folders(chunk):
                remove_marked(future.key, folder)
            if not chunk.items:
                self.failed_beginnings += 1
            elif died_on_it:
                self._suspect(chunk)
            else:
                heapq.heappush(self.again, chunk)
        if self.failed_beginnings >= BEGINNINGS:
            raise ClusterError(
                f"{self.failed_beginnings} worker processes ended while they loaded what the work needs "
                "(killed, or out of memory); start fewer on a machine"
            )

    def _folders(self, chunk: Chunk) -> set[str]:
        """The folders that a chunk's items are written to."""
        return {folder for item in chunk.items for folder in self.job.needs(item).folders}

    def _suspect(self, chunk: Chunk) -> None:
        """Again in pieces, until the item is alone that ends its workers; that one counts as lost after DEATHS."""
        if len(chunk.items) > 1:
            size = -(-len(chunk.items) // PIECES)
            for start in range(0, len(chunk.items), size):
                piece = Chunk(chunk.first + start, chunk.items[start : start + size], suspect=True)
                heapq.heappush(self.again, piece)
            return
        chunk.deaths, chunk.suspect = chunk.deaths + 1, True
        if chunk.deaths < DEATHS:
            heapq.heappush(self.again, chunk)
            return
        reason = f"{DEATHS} worker processes ended while they worked on it (killed, out of memory, or a machine lost)"
        self._finish(chunk.first, chunk.items[0], self.job.lost(chunk.items[0], reason))
