"""Meta-learning over distortions: a start from which a few steps suit any of them.

First-order bi-level optimisation, as in MetaIQA: on every task (a distortion) a copy takes inner steps on a
support set and then on a query set; the meta parameters move towards where the copies end.

Source: Zhu et al., CVPR 2020, doi:10.1109/CVPR42600.2020.01415. Settings of the program (zhuhancheng/MetaIQA
30eeeb1) in the recipe's variant; here the outer step follows the paper, once per mini-batch of tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hdrq.engine.training.feed import Feed, Item, generator
from hdrq.engine.training.learner import answer
from hdrq.engine.training.pixels import Pixels
from hdrq.engine.training.run import Run
from hdrq.errors import UsageError
from hdrq.ops.losses import mixed


@dataclass(frozen=True)
class MetaStep:
    """One outer update: mean losses on support and query sets of its tasks."""

    step: int
    support: float
    query: float


def tasks_of(items: Sequence[Item], least: int = 4) -> dict[str, list[Item]]:
    """Items by distortion; those with too few pictures for a support and a query set are left out."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.distortion, []).append(item)
    tasks = {name: rows for name, rows in found.items() if name and len(rows) >= least}
    if len(tasks) < 2:
        raise UsageError(
            "meta-learning wants at least two distortions; this dataset does not tell them apart"
        )
    return tasks


def meta_train(
    module: nn.Module,
    run: Run,
    items: Sequence[Item],
    folder: Path,
    *,
    device: torch.device,
    inner_steps: int = 6,
    tasks_per_step: int = 5,
    outer_rate: float = 1e-2,
    support: float = 0.8,
) -> Iterator[MetaStep]:
    """Move `module` (the meta parameters) in place, for `run.steps` outer steps.

    inner_steps  Adam steps on the support set, then one on the query set, per task; rate `run.rate`
    outer_rate   share of the way to the mean of the adapted copies
    """
    tasks = tasks_of(items)
    names = sorted(tasks)
    store = Pixels(folder / "pixels")
    meta = {k: v.detach().clone() for k, v in module.named_parameters()}
    for step in range(run.steps or run.epochs * max(1, len(names) // tasks_per_step)):
        random = generator(run.seed, 7, step)
        chosen = [names[i] for i in torch.randperm(len(names), generator=random)[:tasks_per_step].tolist()]
        moved = {k: torch.zeros_like(v) for k, v in meta.items()}
        sums = [0.0, 0.0]
        for name in chosen:
            known, asked = _split(tasks[name], support, random)
            _put(module, meta)
            optimiser = torch.optim.Adam(module.parameters(), lr=run.rate, weight_decay=run.decay)
            module.train()
            for number in range(inner_steps + 1):
                rows = known if number < inner_steps else asked
                loss = _step(module, run, rows, store, (step, number), device, optimiser)
                sums[number == inner_steps] += loss / (inner_steps if number < inner_steps else 1)
            for key, value in module.named_parameters():
                moved[key] += (value.detach() - meta[key]) / len(chosen)
        meta = {k: v + outer_rate * moved[k] for k, v in meta.items()}
        _put(module, meta)
        yield MetaStep(step + 1, sums[0] / len(chosen), sums[1] / len(chosen))


def _split(rows: list[Item], share: float, random: torch.Generator) -> tuple[list[Item], list[Item]]:
    order = torch.randperm(len(rows), generator=random).tolist()
    cut = min(max(round(share * len(rows)), 2), len(rows) - 1)
    return [rows[i] for i in order[:cut]], [rows[i] for i in order[cut:]]


def _step(
    module: nn.Module,
    run: Run,
    rows: list[Item],
    store: Pixels,
    key: tuple[int, int],
    device: torch.device,
    optimiser: torch.optim.Optimizer,
) -> float:
    """One Adam step on one batch of a task."""
    feed = Feed(
        replace(run, batch=min(run.batch, len(rows))), rows, run.source_screen, store, salt=11 + key[1]
    )
    batch = next(iter(feed.batches(key[0]))).to(device)
    label: Tensor | None = batch.label
    if label is None:
        raise UsageError("meta-learning needs labels on every picture")
    optimiser.zero_grad(set_to_none=True)
    loss = mixed(run.loss, answer(module, run, batch).q, label)
    loss.backward()
    optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def _put(module: nn.Module, values: dict[str, Tensor]) -> None:
    for key, value in module.named_parameters():
        value.copy_(values[key])
