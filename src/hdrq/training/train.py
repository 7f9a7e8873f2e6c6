"""Training, top to bottom: feed, answer, loss, step, look, keep. Yields what happens; prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.errors import HdrqError
from hdrq.training.checkpoint import Curves, Kept, Progress, Record, Step, load, restore_random, save
from hdrq.training.distributed import Team
from hdrq.training.domain_adaptation import Alignment
from hdrq.training.feed import Batch, Feed, Item
from hdrq.training.image_cache import Pixels
from hdrq.training.losses import mixed
from hdrq.training.oom import room_for
from hdrq.training.settings import Run
from hdrq.training.student import (
    Answer,
    Averaged,
    answer,
    autocast,
    build,
    falling,
    first_rates,
    groups,
    optimiser_of,
    stage_of,
)
from hdrq.training.validation import Validation, best_of, keep_best, validate

__all__ = ["Kept", "Record", "Step", "Validation", "train"]


def train(
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
    """Train one network.

    source, target  what is learnt from; target items without labels take part in the alignment only
    held_out        scenes to validate on, never learnt from
    folder          gets last.pt (to go on from), best.pt (weights of the best epoch), metrics.csv, curves.png
    start           puts pretrained weights into the fresh module
    resume          go on from last.pt; the result is that of an uninterrupted run, bit for bit on the CPU
    keep_every      seconds between checkpoints, besides one after every epoch
    pixels          where decoded pictures are kept, or a store of one's own
    tensorboard     write the curves for TensorBoard too
    """
    device = device or torch.device("cpu")
    team = Team()
    torch.manual_seed(run.seed)
    module = build(run)
    start(module)
    module.to(device)
    align = Alignment.of(run).to(device)
    optimiser = optimiser_of(run, [*groups(module, run), *align.group(run.rate)])
    scaler = torch.amp.GradScaler(device.type, init_scale=256.0, enabled=run.precision == "float16")
    averaged = Averaged(module, run.ema) if run.ema else None
    progress = Progress()
    folder.mkdir(parents=True, exist_ok=True)

    state = load(folder, run.digest) if resume else None
    if state is not None:
        module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        align.load_state_dict(state["align"])
        align.restore(state["align_memory"])
        if averaged is not None:
            averaged.values = {k: v.to(device) for k, v in state["averaged"].items()}
        progress = Progress(**state["progress"])
        restore_random(state)

    store = pixels if isinstance(pixels, Pixels) else Pixels(pixels or folder / "pixels")
    feed = Feed(run, source, run.source_screen, store, 0, team.rank, team.size)
    other = Feed(run, target, run.target_screen, store, 1, team.rank, team.size) if target else None
    looks = Feed(run, held_out, run.source_screen, store, 2) if held_out else None
    per_epoch = other.steps() * run.target_repeat if other is not None and run.align else feed.steps()
    total = min(run.steps, run.epochs * per_epoch) if run.steps else run.epochs * per_epoch
    curves = Curves(folder, progress.done, tensorboard) if team.leads else None
    kept_at = time.monotonic()

    def keep() -> Kept:
        parts = {
            "module": module.state_dict(),
            "optimiser": optimiser.state_dict(),
            "scaler": scaler.state_dict(),
            "align": align.state_dict(),
            "align_memory": align.memory(),
            "averaged": averaged.values if averaged is not None else {},
        }
        return Kept(save(folder, run.digest, progress, parts))

    while progress.done < total and not (run.patience and progress.since_best >= run.patience):
        if stage_of(run, progress.epoch)[0] > progress.stage:
            module.load_state_dict(best_of(folder))
            optimiser = optimiser_of(run, [*groups(module, run), *align.group(run.rate)])
            progress.stage = stage_of(run, progress.epoch)[0]
            if team.leads:
                yield keep()
        began = time.monotonic()
        module.train()
        sources = _from(feed, progress, per_epoch)
        targets = _from(other, progress, per_epoch) if other is not None else None
        for number in range(progress.step, per_epoch):
            if progress.done >= total:
                break
            rate = falling(run, progress.epoch, progress.done / total)
            for group, first in zip(optimiser.param_groups, first_rates(run, optimiser)):
                group["lr"] = first * rate
            with room_for(run):
                own, others = next(sources), next(targets) if targets else None
                loss, aligned = _learn(module, run, align, own, others, device, scaler, team)
                if (number + 1) % run.accumulate == 0 or number + 1 == per_epoch:
                    team.average(module)
                    if run.clip > 0:
                        scaler.unscale_(optimiser)
                        nn.utils.clip_grad_norm_(module.parameters(), run.clip)
                    scaler.step(optimiser)
                    scaler.update()
                    optimiser.zero_grad(set_to_none=True)
                    if averaged is not None:
                        averaged.follow(module)
            progress.step, progress.done = number + 1, progress.done + 1
            if not isfinite(loss):
                raise HdrqError(
                    f"the loss became {loss} at step {progress.done}; lower the rate, now {rate * run.rate:g}"
                )
            if curves is not None:
                curves.add(
                    kind="step",
                    epoch=progress.epoch,
                    step=progress.done,
                    loss=loss,
                    aligned=aligned,
                    rate=rate * run.rate,
                )
            yield Step(
                progress.epoch, progress.done, loss, aligned, rate * run.rate, time.monotonic() - began
            )
            began = time.monotonic()
            if team.leads and began - kept_at > keep_every and (number + 1) % run.accumulate == 0:
                yield keep()
                kept_at = time.monotonic()
        progress.epoch, progress.step = progress.epoch + 1, 0
        if looks is not None and team.leads:
            with room_for(run):
                seen = validate(module, averaged, run, looks, held_out, device, progress)
            if curves is not None:
                curves.add(
                    kind="validation",
                    epoch=seen.epoch,
                    step=seen.step,
                    srocc=seen.srocc,
                    plcc=seen.plcc,
                    mae=seen.mae,
                )
            if seen.best:
                yield Kept(keep_best(folder, module, averaged, run, seen))
            yield seen
        elif team.leads:
            yield Kept(keep_best(folder, module, averaged, run))
        if team.leads:
            yield keep()
            kept_at = time.monotonic()
        progress.since_best = team.agree(progress.since_best)
    if curves is not None:
        curves.draw(folder / "curves.png")
        yield Kept(folder / "curves.png")


def _learn(
    module: nn.Module,
    run: Run,
    align: Alignment,
    batch: Batch,
    other: Batch | None,
    device: torch.device,
    scaler: Any,
    team: Team,
) -> tuple[float, float]:
    """Forward and backward of one step; (total loss, alignment part)."""
    with autocast(run, device):
        said, label = _asked(module, run, batch, device, team)
        loss = mixed(run.loss, said.q.float(), label) if label is not None else said.q.sum() * 0
        if said.added is not None:
            loss = loss + said.added
        aligned = torch.zeros((), device=device)
        if other is not None:
            theirs, their_label = _asked(module, run, other, device, team)
            if their_label is not None:
                loss = loss + run.target_weight * mixed(run.loss, theirs.q.float(), their_label)
            if run.align and said.rows is not None and theirs.rows is not None:
                aligned = run.align_weight * align(said.rows.float(), theirs.rows.float())
    scaler.scale((loss + aligned) / run.accumulate).backward()
    return float((loss + aligned).detach()), float(aligned.detach())


def _asked(
    module: nn.Module, run: Run, batch: Batch, device: torch.device, team: Team
) -> tuple[Answer, Tensor | None]:
    """Answers and labels of the whole batch, also where several processes hold a share of it each."""
    said = answer(module, run, batch.to(device))
    label = None if batch.label is None else team.gather(batch.label.to(device))
    rows = None if said.rows is None else team.gather(said.rows)
    return Answer(team.gather(said.q), rows, said.added), label


def _from(feed: Feed, progress: Progress, per_epoch: int) -> Iterator[Batch]:
    """This epoch's batches of a domain, begun again as often as the epoch needs."""
    own = feed.steps()
    turn, number = divmod(progress.step, own)
    while True:
        passes = -(-per_epoch // own)
        yield from feed.batches(progress.epoch * passes + turn, number)
        turn, number = turn + 1, 0
