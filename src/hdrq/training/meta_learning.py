"""Meta-learning over distortions: initial weights that can be fine-tuned to any distortion in a few steps.

First-order bi-level optimisation as in MetaIQA: for every task (a distortion), a copy of the network takes steps on a
support set and on a query set; the meta parameters move towards the copies. The paper and its program differ;
see `Meta`.

Source: Zhu et al., CVPR 2020, doi:10.1109/CVPR42600.2020.01415; zhuhancheng/MetaIQA 30eeeb1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.training.batches import Batch, BatchLoader, Item, generator
from hdrq.training.checkpoint import Progress
from hdrq.training.image_cache import ImageCache
from hdrq.training.losses import mixed
from hdrq.training.meta_tasks import Meta, chunks, outer_steps, split, tasks_of
from hdrq.training.network import autocast, build, forward, optimiser_of, parameter_groups, set_rates
from hdrq.training.settings import Settings
from hdrq.work import background_threads

# items, and the key of their random crops
Job = tuple[list[Item], tuple[int, int]]
Values = dict[str, Tensor]


class MetaLearner:
    """The network, its meta parameters, the parameters that copies start from, and an optimiser.

    A step is one mini-batch of tasks, or one task with outer="batches"; its loss is measured on the query sets.
    """

    def __init__(
        self,
        settings: Settings,
        source: Sequence[Item],
        images: ImageCache,
        device: torch.device,
        start: Callable[[nn.Module], None],
        several: bool,
    ) -> None:
        if several:
            raise UsageError(
                "meta-learning has one domain and one process; leave out --da, --target and torchrun"
            )
        self.settings, self.device = settings, device
        self.how, self.tasks = Meta.of(settings), tasks_of(source)
        self.names = list(self.tasks)[: self.how.most or None]
        self.steps, _ = outer_steps(settings, source)
        self.loader = BatchLoader(settings, source, settings.source_display, images, 11)
        self.module = build(settings)
        start(self.module)
        self.module.to(device)
        self.meta = self._parameters()
        self.start = dict(self.meta)
        self.count = 0
        self.optimiser = self._optimiser()

    def _optimiser(self) -> torch.optim.Optimizer:
        return optimiser_of(self.settings, parameter_groups(self.module, self.settings))

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

    def restart(self, weights: dict[str, Any]) -> None:
        self.module.load_state_dict(weights)
        self.meta = self._parameters()
        self.start = dict(self.meta)
        self.optimiser = self._optimiser()

    def weights(self) -> dict[str, Any]:
        """The meta parameters, or the last copy, which is what the program saves."""
        return {**self.module.state_dict(), **self.meta} if self.how.outer == "tasks" else {}

    def may_save(self, progress: Progress) -> bool:
        return True

    def begin_epoch(self, progress: Progress) -> None:
        """Draw the order of the tasks."""
        random = generator(self.settings.seed, 7, progress.epoch)
        self.order = [self.names[i] for i in torch.randperm(len(self.names), generator=random).tolist()]

    def step(self, progress: Progress, rate: float) -> tuple[float, float]:
        size = self.how.tasks if self.how.outer == "tasks" else 1
        number, key = progress.step, (progress.epoch, progress.step)
        chosen = [self.tasks[name] for name in self.order[number * size : (number + 1) * size]]
        random = generator(self.settings.seed, 8, *key)
        self.module.train()
        if self.how.outer == "batches":
            return self._by_batches(chosen[0], rate, key, random), 0.0
        return self._by_tasks(chosen, rate, key, random), 0.0

    def _by_tasks(
        self, tasks: Sequence[list[Item]], rate: float, key: tuple[int, int], random: torch.Generator
    ) -> float:
        """The paper's outer step: move by a share of the way to the mean of the copies; returns the mean query loss."""
        moved = {k: torch.zeros_like(v) for k, v in self.meta.items()}
        query, each = 0.0, self.how.inner + self.how.query_steps
        for place, rows in enumerate(tasks):
            support, queried = split(rows, self.how.support, random)
            known, queries = chunks(support, self.settings.batch), chunks(queried, self.how.query)
            jobs = [known[n % len(known)] for n in range(self.how.inner)]
            jobs += [queries[n % len(queries)] for n in range(self.how.query_steps)]
            self._set_parameters(self.meta)
            self.optimiser = self._optimiser()
            set_rates(self.optimiser, rate)
            first = len(tasks) * each * key[1] + place * each
            losses = [
                self._learn(batch)
                for batch in self._prefetched([(job, (key[0], first + n)) for n, job in enumerate(jobs)])
            ]
            query += losses[-1] / len(tasks)
            for name, value in self.module.named_parameters():
                moved[name] += (value.detach() - self.meta[name]) / len(tasks)
        self.meta = {k: v + self.how.rate * rate * moved[k] for k, v in self.meta.items()}
        self._set_parameters(self.meta)
        return query

    def _by_batches(
        self, rows: list[Item], rate: float, key: tuple[int, int], random: torch.Generator
    ) -> float:
        """The program's treatment of one task: an outer step after every query batch."""
        support, queried = split(rows, self.how.support, random)
        known, queries = chunks(support, self.settings.batch), chunks(queried, self.how.query)
        if self.count % self.how.tasks == 0:
            self.start = dict(self.meta)
        self._set_parameters(self.start)
        set_rates(self.optimiser, rate)
        first = 2 * len(known) * key[1]
        jobs: list[Job] = []
        for n, some in enumerate(known):
            jobs += [
                (some, (key[0], first + 2 * n)),
                (queries[n % len(queries)], (key[0], first + 2 * n + 1)),
            ]
        query = 0.0
        for n, batch in enumerate(self._prefetched(jobs)):
            loss = self._learn(batch)
            if n % 2:
                query += loss / len(known)
                origin = self.start if self.how.drawn_to == "start" else self.meta
                copy = self._parameters()
                self.meta = {k: v + (copy[k] - origin[k]) / self.how.tasks for k, v in self.meta.items()}
                self.count += 1
        return query

    def _learn(self, batch: Batch) -> float:
        """One step of the copy on one batch; its loss before the step."""
        batch = batch.to(self.device)
        if batch.label is None:
            raise UsageError("meta-learning needs labels on every image")
        self.optimiser.zero_grad(set_to_none=True)
        with autocast(self.settings, self.device):
            q = forward(self.module, self.settings, batch).q.float()
        loss = mixed(self.settings.loss, q, batch.label)
        loss.backward()
        if self.settings.clip > 0:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip)
        self.optimiser.step()
        return float(loss.detach())

    def _prefetched(self, jobs: Sequence[Job]) -> Iterator[Batch]:
        """Batches of jobs; the next one is prepared while the network computes."""
        with background_threads(1, "hdrq-batches") as pool:
            waiting = pool.submit(self.loader.batch, *jobs[0])
            for n in range(len(jobs)):
                batch = waiting.result()
                if n + 1 < len(jobs):
                    waiting = pool.submit(self.loader.batch, *jobs[n + 1])
                yield batch

    def _parameters(self) -> Values:
        return {k: v.detach().clone() for k, v in self.module.named_parameters()}

    @torch.no_grad()
    def _set_parameters(self, values: Values) -> None:
        for key, value in self.module.named_parameters():
            value.copy_(values[key])
