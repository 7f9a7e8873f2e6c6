"""The training loop, for supervised training and meta-learning: steps, validation, checkpoints.

It yields records and prints nothing. After every epoch and every `save_every` seconds, the state needed to resume is
written to last.pt; a resumed training gives the same weights as an uninterrupted one, bit for bit on the CPU.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from hdrq.errors import HdrqError, TooLarge
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import (
    PLOT,
    Progress,
    Record,
    Saved,
    Step,
    TrainingLog,
    Validation,
    load,
    load_best,
    save,
    save_best,
)
from hdrq.training.distributed import Processes
from hdrq.training.image_cache import PIXELS, ImageCache
from hdrq.training.network import rate_factor, stage_of
from hdrq.training.random_state import RandomState
from hdrq.training.settings import Settings
from hdrq.training.validation import validate


class Learner(Protocol):
    """A model in training, advanced one step at a time."""

    module: nn.Module
    # of an epoch
    steps: int

    def state(self) -> dict[str, Any]:
        """What `restore` needs, for the checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""

    def restart(self, weights: dict[str, Any]) -> None:
        """Continue from given weights with a new optimiser."""

    def begin_epoch(self, progress: Progress) -> None:
        """Prepare an epoch: the order of its images."""

    def step(self, progress: Progress, rate: float) -> tuple[float, float]:
        """One step at a learning rate: (loss, its domain-adaptation part)."""

    def may_save(self, progress: Progress) -> bool:
        """Whether no gradients are pending."""

    def weights(self) -> dict[str, Any]:
        """The weights to validate and keep."""


def fit(
    settings: Settings,
    source: Sequence[Item],
    held_out: Sequence[Item],
    folder: Path,
    *,
    target: Sequence[Item] = (),
    device: torch.device | None = None,
    start: Callable[[nn.Module], None] = lambda module: None,
    resume: bool = False,
    save_every: float = 60.0,
    images: Path | ImageCache | None = None,
    tensorboard: bool = False,
) -> Iterator[Record]:
    """Train one network; yields a record for every step, validation and file.

    source, target  training items; target items without labels take part only in domain adaptation
    held_out        items to validate on, never trained on
    folder          for last.pt, best.pt (weights of the best epoch), metrics.csv and curves.png
    start           loads pretrained weights into the new module
    resume          continue from last.pt, where it exists
    save_every      seconds between checkpoints, in addition to one after every epoch
    images          folder for decoded images, or a cache; by default a temporary folder
    tensorboard     also write the curves for TensorBoard
    """
    from hdrq.training.meta_learning import MetaLearner
    from hdrq.training.supervised import Supervised

    device = device or torch.device("cpu")
    processes = Processes()
    random = RandomState(settings.seed + processes.rank, device)
    folder.mkdir(parents=True, exist_ok=True)
    own = None if images is not None else folder / PIXELS
    cache = (
        images if isinstance(images, ImageCache) else ImageCache(images or folder / PIXELS, settings.reading)
    )
    with _shared_start(random, settings, device, processes):
        learner: Learner
        if settings.meta:
            learner = MetaLearner(settings, source, cache, device, start, bool(target) or processes.size > 1)
        else:
            learner = Supervised(settings, source, target, cache, device, start, processes)
    progress = Progress()
    state = load(folder, settings.digest) if resume else None
    if state is not None:
        learner.restore(state["learner"])
        progress = Progress(**state["progress"])
        random.restore(state)
    loader = BatchLoader(settings, held_out, settings.held_display, cache, 2) if held_out else None
    total = settings.epochs * learner.steps
    total = min(settings.steps, total) if settings.steps else total
    log = TrainingLog(folder, progress.done, tensorboard) if processes.is_main else None
    saved_at = time.monotonic()

    def checkpoint() -> Saved:
        nonlocal saved_at
        saved_at = time.monotonic()
        return Saved(save(folder, settings.digest, progress, {"learner": learner.state(), **random.state()}))

    while progress.done < total and not (settings.patience and progress.since_best >= settings.patience):
        stage = stage_of(settings, progress.epoch)[0]
        if stage > progress.stage:
            progress.stage = stage
            learner.restart(load_best(folder))
            if processes.is_main:
                yield checkpoint()
        learner.begin_epoch(progress)
        began = time.monotonic()
        while progress.step < learner.steps and progress.done < total:
            rate = rate_factor(settings, progress.epoch, progress.done / total)
            with random, explain_out_of_memory(settings):
                loss, aligned = learner.step(progress, rate)
            progress.step, progress.done = progress.step + 1, progress.done + 1
            if not isfinite(loss):
                raise HdrqError(
                    f"the loss became {loss} at step {progress.done}; try a lower rate: "
                    f"--set rate={settings.rate / 10:g}"
                )
            record = Step(
                progress.epoch, progress.done, loss, aligned, rate * settings.rate, time.monotonic() - began
            )
            if log is not None:
                log.add("step", record)
            yield record
            began = time.monotonic()
            if processes.is_main and began - saved_at > save_every and learner.may_save(progress):
                yield checkpoint()
        progress.epoch, progress.step = progress.epoch + 1, 0
        if processes.is_main:
            seen = None
            with random, explain_out_of_memory(settings), weights_of(learner):
                if loader is not None:
                    seen = validate(learner.module, settings, loader, held_out, device, progress)
                better = seen is None or seen.best
                if better:
                    path = save_best(folder, settings.digest, learner.module.state_dict(), seen)
            if seen is not None and log is not None:
                log.add("validation", seen)
            if better:
                yield Saved(path)
            if seen is not None:
                yield seen
            yield checkpoint()
        progress.since_best = processes.broadcast(progress.since_best)
    if log is not None:
        log.plot(folder / PLOT)
        yield Saved(folder / PLOT)
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)


@contextmanager
def weights_of(learner: Learner) -> Iterator[None]:
    """Within this block, the module holds the weights to validate and keep."""
    weights = learner.weights()
    if not weights:
        yield
        return
    own = {k: v.detach().clone() for k, v in learner.module.state_dict().items()}
    learner.module.load_state_dict(weights)
    try:
        yield
    finally:
        learner.module.load_state_dict(own)


@contextmanager
def _shared_start(
    random: RandomState, settings: Settings, device: torch.device, processes: Processes
) -> Iterator[None]:
    """Initial weights from the seed, the same in all processes, independent of the caller's random state."""
    first = random if processes.rank == 0 else RandomState(settings.seed, device)
    with first:
        yield


__all__ = ["Learner", "Record", "Saved", "Step", "Validation", "fit"]


SMALLER = "try fewer patches, a smaller crop or a smaller network"


@contextmanager
def explain_out_of_memory(settings: Settings) -> Iterator[None]:
    """Turn an out-of-memory error inside the block into TooLarge, which suggests a smaller batch."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        # the CPU allocator has no exception class of its own
        if not known and "memory" not in str(error).lower():
            raise
        way = f"try --set batch={settings.batch // 2}" if settings.batch > 1 else SMALLER
        raise TooLarge(f"a batch of {settings.batch} does not fit in memory; {way}") from error
