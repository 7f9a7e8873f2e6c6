"""The network in training: forward pass, losses, parameter groups and learning-rate schedules."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from math import cos, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.nn.input_scaling import enter
from hdrq.nn.quality_input import spanned
from hdrq.nn.weights import span
from hdrq.registry import find
from hdrq.training.disentanglement import disentangled
from hdrq.training.feed import Batch
from hdrq.training.settings import Run


def factor(kind: str, share: float, floor: float, warmup: float = 0.0) -> float:
    """Factor in (0, 1].

    kind    constant; exponential: floor^share; cosine: half a wave from 1 to floor; steps: x0.1 at 1/2 and 3/4
    warmup  share of the run over which it rises linearly first
    """
    if warmup > 0 and share < warmup:
        return max(share / warmup, 1e-3)
    left = (share - warmup) / (1 - warmup) if warmup < 1 else 1.0
    if kind == "exponential":
        return float(floor**left)
    if kind == "cosine":
        return floor + (1 - floor) * (1 + cos(pi * left)) / 2
    if kind == "steps":
        return 0.1 ** ((left >= 0.5) + (left >= 0.75))
    return 1.0


def stepped(epoch: int, fall: float, every: int, compounding: bool = False) -> float:
    """Factor of an epoch, counted from 0: fall^(epoch // every).

    compounding  the factor of every epoch multiplies the rate of the one before, as MetaIQA's programs have it
    """
    if not compounding:
        return float(fall ** (epoch // every))
    return float(fall ** sum(e // every for e in range(epoch + 1)))


class Answer(NamedTuple):
    """q (B,): the network's score; rows (M, D): features that domains are compared in, where it has some; added: a
    loss of its own."""

    q: Tensor
    rows: Tensor | None = None
    added: Tensor | None = None


def build(run: Run) -> nn.Module:
    """The network of a run with random weights, knowing what code it calls 0 and 1."""
    module: nn.Module = find("net", run.net).build(**run.options)
    module.span = span(run.encoding, run.white)  # type: ignore[assignment]
    return module


def answer(module: nn.Module, run: Run, batch: Batch) -> Answer:
    """Scores and features of a batch."""
    inner: Any = module
    dist = _entered(batch.dist, inner)
    if batch.ref is None:
        found = module(dist)
        return found if isinstance(found, Answer) else _plain(found)
    ref = _entered(batch.ref, inner)
    if hasattr(inner, "decode"):
        return Answer(*disentangled(inner, run.terms, dist, ref))
    if hasattr(inner, "compare"):
        seen = inner.compare(ref, dist, batch.place, batch.scale if run.scales > 1 else None)
        return Answer(seen.q, torch.cat([seen.ref, seen.dist]))
    if hasattr(inner, "judge"):
        verdict = inner.judge(ref, dist)
        return Answer(verdict.pooled(), torch.cat([verdict.coarse_ref, verdict.coarse_dist]))
    return _plain(module(ref, dist))


def _entered(code: Tensor, module: Any) -> Tensor:
    """Code in the numbers the network wants, with what it calls 0 and 1."""
    return enter(code, module) if hasattr(module, "intake") else spanned(code, module)


def _plain(q: Tensor) -> Answer:
    return Answer(q.reshape(q.shape[0], -1)[:, 0])


def groups(module: nn.Module, run: Run) -> list[dict[str, Any]]:
    """Parameters with their rates: the head may learn faster than the body."""
    if run.head_rate <= 0:
        return [{"params": [p for p in module.parameters() if p.requires_grad], "lr": run.rate}]
    head = [p for name, p in module.named_parameters() if _is_head(name) and p.requires_grad]
    body = [p for name, p in module.named_parameters() if not _is_head(name) and p.requires_grad]
    if not head or not body:
        raise UsageError(f"{run.net} has no head of its own; leave head_rate at 0")
    return [{"params": body, "lr": run.rate}, {"params": head, "lr": run.head_rate}]


def _is_head(name: str) -> bool:
    return name.split(".")[0] in ("head", "regressor", "fc", "decoder")


def optimiser_of(run: Run, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The run's optimiser over groups of parameters."""
    if run.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=run.rate, weight_decay=run.decay)
    kind = torch.optim.AdamW if run.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, lr=run.rate, weight_decay=run.decay, betas=(0.9, run.beta2))


def falling(run: Run, epoch: int, share: float) -> float:
    """Factor on the rates in an epoch, at a share of the run's steps."""
    if run.schedule in ("staircase", "compounding"):
        return stepped(epoch, run.fall, run.every, run.schedule == "compounding")
    found = factor(run.schedule, share if run.per == "step" else epoch / run.epochs, run.floor, run.warmup)
    return found * stage_of(run, epoch)[1] / run.rate if run.stages else found


def stage_of(run: Run, epoch: int) -> tuple[int, float]:
    """(number, rate) of the stage an epoch belongs to."""
    for number, (epochs, rate) in enumerate(run.stages):
        if epoch < epochs:
            return number, rate
        epoch -= epochs
    return (len(run.stages) - 1, run.stages[-1][1]) if run.stages else (0, run.rate)


def first_rates(run: Run, optimiser: torch.optim.Optimizer) -> list[float]:
    """First rates of the optimiser's groups."""
    base = [run.rate] if run.head_rate <= 0 else [run.rate, run.head_rate]
    return base + [run.rate] * (len(optimiser.param_groups) - len(base))


def autocast(run: Run, device: torch.device) -> AbstractContextManager[Any]:
    """Half precision where the run asks for it."""
    if run.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, run.precision))


class Averaged:
    """Exponential moving average of the parameters: what is validated and kept, where a run asks for it."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def follow(self, module: nn.Module) -> None:
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value.detach(), 1 - self.decay)
            else:
                self.values[key].copy_(value)
