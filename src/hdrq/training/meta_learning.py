"""Meta-learning over distortions: a start from which a few steps suit any of them.

First-order bi-level optimisation, as in MetaIQA: on every task (a distortion) a copy takes steps on a support set
and on a query set; the meta parameters move towards where the copies end. The paper and its program do it differently,
see `Meta`.

Source: Zhu et al., CVPR 2020, doi:10.1109/CVPR42600.2020.01415; zhuhancheng/MetaIQA 30eeeb1
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.errors import HdrqError, UsageError
from hdrq.training.checkpoint import Curves, Kept, Progress, Record, Step, load, restore_random, save
from hdrq.training.feed import Batch, Feed, Item, generator
from hdrq.training.image_cache import Pixels
from hdrq.training.losses import mixed
from hdrq.training.meta_tasks import Meta, chunks, outer_steps, split, tasks_of
from hdrq.training.oom import room_for
from hdrq.training.settings import Run
from hdrq.training.student import answer, autocast, build, falling, first_rates, groups, optimiser_of
from hdrq.training.validation import keep_best, validate

Job = tuple[list[Item], tuple[int, int]]  # pictures, and the key of their crops
Values = dict[str, Tensor]


def meta_train(
    run: Run,
    source: Sequence[Item],
    held_out: Sequence[Item],
    folder: Path,
    *,
    target: Sequence[Item] = (),
    device: torch.device | None = None,
    start: Callable[[nn.Module], None] = lambda module: None,
    resume: bool = False,
    keep_every: float = 60.0,
    pixels: Path | Pixels | None = None,
    tensorboard: bool = False,
) -> Iterator[Record]:
    """Meta-train one network; arguments, files and records as in hdrq.training.train. A step is one mini-batch of
    tasks, or one task of the program's; its loss is that on the query sets."""
    if target or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "meta-learning has one domain and one process; leave out --da, --target and torchrun"
        )
    meta, tasks = Meta.of(run), tasks_of(source)
    names = list(tasks)[: meta.most or None]
    per_epoch, _ = outer_steps(run, source)
    device = device or torch.device("cpu")
    torch.manual_seed(run.seed)
    module = build(run)
    start(module)
    module.to(device)
    learner = _Learner(module, run, meta, device)
    progress = Progress()
    folder.mkdir(parents=True, exist_ok=True)
    state = load(folder, run.digest) if resume else None
    if state is not None:
        learner.restore(state["learner"])
        progress = Progress(**state["progress"])
        restore_random(state)
    store = pixels if isinstance(pixels, Pixels) else Pixels(pixels or folder / "pixels")
    feed = Feed(run, source, run.source_screen, store, 11)
    looks = Feed(run, held_out, run.source_screen, store, 2) if held_out else None
    total = min(run.steps, run.epochs * per_epoch) if run.steps else run.epochs * per_epoch
    curves = Curves(folder, progress.done, tensorboard)

    def keep() -> Kept:
        return Kept(save(folder, run.digest, progress, {"learner": learner.state()}))

    kept_at = time.monotonic()
    while progress.done < total and not (run.patience and progress.since_best >= run.patience):
        order = [
            names[i]
            for i in torch.randperm(len(names), generator=generator(run.seed, 7, progress.epoch)).tolist()
        ]
        size = meta.tasks if meta.outer == "tasks" else 1
        for number in range(progress.step, per_epoch):
            if progress.done >= total:
                break
            began = time.monotonic()
            rate = falling(run, progress.epoch, progress.done / total)
            chosen = [tasks[name] for name in order[number * size : (number + 1) * size]]
            with room_for(run):
                loss = learner.step(chosen, feed, rate, (progress.epoch, number))
            progress.step, progress.done = number + 1, progress.done + 1
            if not isfinite(loss):
                raise HdrqError(
                    f"the loss became {loss} at step {progress.done}; lower the rate, now {rate * run.rate:g}"
                )
            curves.add(kind="step", epoch=progress.epoch, step=progress.done, loss=loss, rate=rate * run.rate)
            yield Step(progress.epoch, progress.done, loss, 0.0, rate * run.rate, time.monotonic() - began)
            if time.monotonic() - kept_at > keep_every:
                yield keep()
                kept_at = time.monotonic()
        progress.epoch, progress.step = progress.epoch + 1, 0
        learner.show()
        if looks is not None:
            with room_for(run):
                seen = validate(module, None, run, looks, held_out, device, progress)
            curves.add(
                kind="validation",
                epoch=seen.epoch,
                step=seen.step,
                srocc=seen.srocc,
                plcc=seen.plcc,
                mae=seen.mae,
            )
            if seen.best:
                yield Kept(keep_best(folder, module, None, run, seen))
            yield seen
        else:
            yield Kept(keep_best(folder, module, None, run))
        yield keep()
        kept_at = time.monotonic()
    curves.draw(folder / "curves.png")
    yield Kept(folder / "curves.png")


class _Learner:
    """The network, the meta parameters, the start of the copies, and Adam's moments."""

    def __init__(self, module: nn.Module, run: Run, meta: Meta, device: torch.device) -> None:
        self.module, self.run, self.how, self.device = module, run, meta, device
        self.meta = self._parameters()
        self.start = dict(self.meta)
        self.count = 0
        self.optimiser = optimiser_of(run, groups(module, run))

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "meta": self.meta,
            "start": self.start,
            "count": self.count,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.meta = {k: v.to(self.device) for k, v in state["meta"].items()}
        self.start = {k: v.to(self.device) for k, v in state["start"].items()}
        self.count = state["count"]

    def show(self) -> None:
        """What is validated and kept: the meta parameters, or the last copy, as the program does."""
        if self.how.outer == "tasks":
            self._put(self.meta)

    def step(self, tasks: Sequence[list[Item]], feed: Feed, rate: float, key: tuple[int, int]) -> float:
        """One mini-batch of tasks; the mean loss on query sets."""
        random = generator(self.run.seed, 8, *key)
        self.module.train()
        if self.how.outer == "batches":
            return self._by_batches(tasks[0], feed, rate, key, random)
        moved = {k: torch.zeros_like(v) for k, v in self.meta.items()}
        query = 0.0
        for place, rows in enumerate(tasks):
            support, asked = split(rows, self.how.support, random)
            turns = chunks(support, self.run.batch)
            jobs = [turns[n % len(turns)] for n in range(self.how.inner)]
            jobs.append(asked[: self.how.query])
            self._put(self.meta)
            self.optimiser = optimiser_of(self.run, groups(self.module, self.run))
            self._pace(rate)
            many = len(tasks) * (self.how.inner + 1) * key[1] + place * (self.how.inner + 1)
            for batch in _ahead(feed, [(job, (key[0], many + n)) for n, job in enumerate(jobs)]):
                loss = self._learn(batch)
            query += loss / len(tasks)
            for name, value in self.module.named_parameters():
                moved[name] += (value.detach() - self.meta[name]) / len(tasks)
        self.meta = {k: v + self.how.rate * rate * moved[k] for k, v in self.meta.items()}
        self._put(self.meta)
        return query

    def _by_batches(
        self, rows: list[Item], feed: Feed, rate: float, key: tuple[int, int], random: torch.Generator
    ) -> float:
        """The program's way with one task."""
        support, asked = split(rows, self.how.support, random)
        known, queries = chunks(support, self.run.batch), chunks(asked, self.how.query)
        if self.count % self.how.tasks == 0:
            self.start = dict(self.meta)
        self._put(self.start)
        self._pace(rate)
        many = 2 * len(known) * key[1]
        jobs: list[Job] = []
        for n, some in enumerate(known):
            jobs += [
                (some, (key[0], many + 2 * n)),
                (queries[n % len(queries)], (key[0], many + 2 * n + 1)),
            ]
        query = 0.0
        for n, batch in enumerate(_ahead(feed, jobs)):
            loss = self._learn(batch)
            if n % 2:
                query += loss / len(known)
                origin = self.start if self.how.drawn_to == "start" else self.meta
                copy = self._parameters()
                self.meta = {k: v + (copy[k] - origin[k]) / self.how.tasks for k, v in self.meta.items()}
                self.count += 1
        return query

    def _learn(self, batch: Batch) -> float:
        """One step of the copy on one batch."""
        batch = batch.to(self.device)
        if batch.label is None:
            raise UsageError("meta-learning needs labels on every picture")
        self.optimiser.zero_grad(set_to_none=True)
        with autocast(self.run, self.device):
            said = answer(self.module, self.run, batch).q.float()
        loss = mixed(self.run.loss, said, batch.label)
        loss.backward()
        if self.run.clip > 0:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.run.clip)
        self.optimiser.step()
        return float(loss.detach())

    def _pace(self, rate: float) -> None:
        for group, first in zip(self.optimiser.param_groups, first_rates(self.run, self.optimiser)):
            group["lr"] = first * rate

    def _parameters(self) -> Values:
        return {k: v.detach().clone() for k, v in self.module.named_parameters()}

    @torch.no_grad()
    def _put(self, values: Values) -> None:
        for key, value in self.module.named_parameters():
            value.copy_(values[key])


def _ahead(feed: Feed, jobs: Sequence[Job]) -> Iterator[Batch]:
    """Batches of jobs, the next one prepared while the network works."""
    with ThreadPoolExecutor(1, thread_name_prefix="hdrq-feed") as pool:
        waiting = pool.submit(feed.batch, *jobs[0])
        for n in range(len(jobs)):
            batch = waiting.result()
            if n + 1 < len(jobs):
                waiting = pool.submit(feed.batch, *jobs[n + 1])
            yield batch
