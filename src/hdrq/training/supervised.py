"""Supervised training with optional domain adaptation: batches, losses, one optimisation step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.training.batches import Batch, BatchLoader, Item
from hdrq.training.checkpoint import Progress
from hdrq.training.distributed import Processes
from hdrq.training.domain_adaptation import Alignment
from hdrq.training.image_cache import ImageCache
from hdrq.training.losses import mixed
from hdrq.training.network import (
    Output,
    WeightAverage,
    autocast,
    build,
    forward,
    optimiser_of,
    parameter_groups,
    set_rates,
)
from hdrq.training.settings import Settings


def steps_per_epoch(settings: Settings, source: int, target: int) -> int:
    """Steps per epoch: one pass over the target where there is one, otherwise over the source."""
    if target:
        return max(1, target // (settings.target_batch or settings.batch)) * settings.target_repeat
    return max(1, source // settings.batch)


class Supervised:
    """The network with its optimiser, domain adaptation and weight average."""

    def __init__(
        self,
        settings: Settings,
        source: Sequence[Item],
        target: Sequence[Item],
        images: ImageCache,
        device: torch.device,
        start: Callable[[nn.Module], None],
        processes: Processes,
    ) -> None:
        self.settings, self.device, self.processes = settings, device, processes
        self.module = build(settings)
        start(self.module)
        self.module.to(device)
        self.scaler = torch.amp.GradScaler(
            device.type, init_scale=256.0, enabled=settings.precision == "float16"
        )
        self.average = WeightAverage(self.module, settings.ema) if settings.ema else None
        share = (processes.rank, processes.size)
        self.source = BatchLoader(settings, source, settings.source_display, images, 0, *share)
        other = replace(settings, batch=settings.target_batch or settings.batch)
        self.target = (
            BatchLoader(other, target, settings.target_display, images, 1, *share) if target else None
        )
        self.align = Alignment.of(settings, self._width()).to(device)
        self.optimiser = self._optimiser()
        self.steps = self.target.steps() * settings.target_repeat if self.target else self.source.steps()

    def _width(self) -> int:
        """Number of features of the layer in the settings that are aligned; 0 without one."""
        if not self.settings.align_layer:
            return 0
        first = self.source.items[:1]
        with torch.no_grad(), self._quiet():
            found = forward(self.module, self.settings, self.source.batch(first, (0, 0)).to(self.device))
        return 0 if found.features is None else int(found.features.shape[1])

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """The network as in a test: without dropout, and its running statistics stay."""
        self.module.eval()
        try:
            yield
        finally:
            self.module.train()

    def _optimiser(self) -> torch.optim.Optimizer:
        groups = [*parameter_groups(self.module, self.settings), *self.align.group(self.settings.rate)]
        return optimiser_of(self.settings, groups)

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "align": self.align.state_dict(),
            "align_memory": self.align.memory(),
            "averaged": self.average.values if self.average is not None else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.align.load_state_dict(state["align"])
        self.align.restore(state["align_memory"])
        if self.average is not None:
            self.average.values = {k: v.to(self.device) for k, v in state["averaged"].items()}

    def weights(self) -> dict[str, Any]:
        return self.average.values if self.average is not None else {}

    def restart(self, weights: dict[str, Any]) -> None:
        """Continue from given weights with a new optimiser."""
        self.module.load_state_dict(weights)
        self.optimiser = self._optimiser()

    def begin_epoch(self, progress: Progress) -> None:
        self.module.train()
        self._sources = _batches(self.source, progress, self.steps)
        self._targets = _batches(self.target, progress, self.steps) if self.target is not None else None

    def may_save(self, progress: Progress) -> bool:
        return progress.step % self.settings.accumulate == 0

    def step(self, progress: Progress, rate: float) -> tuple[float, float]:
        set_rates(self.optimiser, rate)
        loss, aligned = self._losses(
            next(self._sources), next(self._targets) if self._targets is not None else None
        )
        self.scaler.scale((loss + aligned) / self.settings.accumulate).backward()
        number = progress.step + 1
        if number % self.settings.accumulate == 0 or number == self.steps:
            self.processes.average_gradients(self.module)
            if self.settings.clip > 0:
                self.scaler.unscale_(self.optimiser)
                nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            self.optimiser.zero_grad(set_to_none=True)
            if self.average is not None:
                self.average.update(self.module)
        return float((loss + aligned).detach()), float(aligned.detach())

    def _losses(self, batch: Batch, other: Batch | None) -> tuple[Tensor, Tensor]:
        """(loss on the labels, weighted domain-adaptation loss) of one step."""
        settings = self.settings
        with autocast(settings, self.device):
            found, label = self._forward(batch)
            loss = found.q.sum() * 0
            if label is not None:
                loss = settings.source_weight * mixed(settings.loss, found.q.float(), label)
            if found.added is not None:
                loss = loss + found.added
            aligned = torch.zeros((), device=self.device)
            if other is not None:
                theirs, their_label = self._forward(other)
                if their_label is not None:
                    loss = loss + settings.target_weight * mixed(settings.loss, theirs.q.float(), their_label)
                if settings.align and found.features is not None and theirs.features is not None:
                    aligned = settings.align_weight * self.align(
                        found.features.float(), theirs.features.float()
                    )
        return loss, aligned

    def _forward(self, batch: Batch) -> tuple[Output, Tensor | None]:
        """Outputs and labels of the whole batch, gathered from all processes."""
        gather = self.processes.gather
        found = forward(self.module, self.settings, batch.to(self.device))
        label = None if batch.label is None else gather(batch.label.to(self.device))
        features = None if found.features is None else gather(found.features)
        return Output(gather(found.q), features, found.added), label


def _batches(loader: BatchLoader, progress: Progress, steps: int) -> Iterator[Batch]:
    """Batches of an epoch of so many steps, repeating the items as often as needed."""
    own = loader.steps()
    turn, number = divmod(progress.step, own)
    passes = -(-steps // own)
    while True:
        yield from loader.batches(progress.epoch * passes + turn, number)
        turn, number = turn + 1, 0
