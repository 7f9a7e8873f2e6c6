"""The network in training: construction, forward pass, parameter groups, optimiser and learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import cos, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.nn.net import Net
from hdrq.nn.weights import span
from hdrq.records import Encoding
from hdrq.registry import find
from hdrq.training.batches import Batch
from hdrq.training.disentanglement import disentangling_loss
from hdrq.training.layers import layer_outputs
from hdrq.training.random_state import RandomState
from hdrq.training.settings import Settings


class Output(NamedTuple):
    """Output for a batch of B pairs or images.

    q         (B,) scores
    features  (M, D) features whose distributions domain adaptation compares; None where the network has none
    added     an additional loss of the network, or None
    """

    q: Tensor
    features: Tensor | None = None
    added: Tensor | None = None


def build(settings: Settings) -> nn.Module:
    """The network with random weights; `.span` holds the codes that the network maps to 0 and 1."""
    shelf: Net = find("net", settings.net)
    module = shelf.built(settings.options)
    module.span = span(settings.encoding, settings.white)  # type: ignore[assignment]
    return module


@contextmanager
def explain_options(net: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Turn the error of a network that cannot compute with its build options into UsageError."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        if "memory" in str(error).lower():
            raise
        raise UsageError(
            f"{net} cannot compute with options {dict(options)}: {' '.join(str(error).split())}"
        ) from error


def build_apart(settings: Settings) -> nn.Module:
    """The same, without changing the caller's random state."""
    with RandomState(settings.seed, torch.device("cpu")):
        return build(settings)


def forward(module: nn.Module, settings: Settings, batch: Batch) -> Output:
    """Scores and features of a batch; the features are those of the paper, or of the layer in the settings."""
    if not settings.align_layer:
        return _forward(module, settings, batch)
    with layer_outputs(module, settings.align_layer) as found:
        out = _forward(module, settings, batch)
    if not found:
        raise UsageError(
            f"{settings.net} does not use {settings.align_layer} as a whole in a step; align another layer, such as one "
            "before it"
        )
    return out._replace(features=torch.cat(found))


def _forward(module: nn.Module, settings: Settings, batch: Batch) -> Output:
    shelf: Net = find("net", settings.net)
    encoding: Encoding = find("encoding", settings.encoding)
    inner: Any = module
    dist = _normalised(batch.dist, shelf, inner, encoding)
    if batch.ref is None:
        return _scores_only(module(dist))
    ref = _normalised(batch.ref, shelf, inner, encoding)
    if hasattr(inner, "decode"):
        return Output(*disentangling_loss(inner, settings.terms, dist, ref))
    if hasattr(inner, "compare"):
        scale = batch.scale if settings.levels > 1 else None
        found = inner.compare(ref, dist, batch.place, scale, batch.place_dist)
        return Output(found.q, torch.cat([found.ref, found.dist]))
    if hasattr(inner, "test"):
        found = inner.predict(ref, dist)
        return Output(found.pooled(), torch.cat([found.coarse_ref, found.coarse_dist]))
    return _scores_only(module(ref, dist))


def _normalised(code: Tensor, shelf: Net, module: Any, encoding: Encoding) -> Tensor:
    """Images (B, C, H, W) or patches (B, N, C, p, p) normalised as for scoring."""
    seen = shelf.view(code.flatten(0, -4), module, encoding)
    return seen.reshape(*code.shape[:-3], *seen.shape[-3:])


def _scores_only(q: Tensor) -> Output:
    return Output(q.reshape(q.shape[0], -1)[:, 0])


def parameter_groups(module: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """Parameters with their learning rates: `head_rate` for the head, `rate` for the rest."""
    if settings.head_rate <= 0:
        return [{"params": [p for p in module.parameters() if p.requires_grad], "lr": settings.rate}]
    heads = find("net", settings.net).head
    split: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            split[name.split(".")[0] in heads].append(parameter)
    if not split[True] or not split[False]:
        raise UsageError(f"{settings.net} has no separate head; leave head_rate at 0")
    return [
        {"params": split[False], "lr": settings.rate},
        {"params": split[True], "lr": settings.head_rate},
    ]


def optimiser_of(settings: Settings, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser over parameter groups; every group stores its initial rate as `base`."""
    groups = [{**g, "base": g["lr"]} for g in parameters]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, weight_decay=settings.decay)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=settings.rate, weight_decay=settings.decay, betas=(0.9, settings.beta2))


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set the rate of every group to its initial rate times a factor."""
    for group in optimiser.param_groups:
        group["lr"] = group["base"] * factor


def rate_factor(settings: Settings, epoch: int, share: float) -> float:
    """Factor on the learning rates in an epoch, after a given share of all steps."""
    if settings.schedule in ("staircase", "compounding"):
        return step_factor(epoch, settings.fall, settings.every, settings.schedule == "compounding")
    share = share if settings.per == "step" else epoch / settings.epochs
    found = factor(settings.schedule, share, settings.floor, settings.warmup)
    return found * stage_of(settings, epoch)[1] / settings.rate if settings.stages else found


def factor(kind: str, share: float, floor: float, warmup: float = 0.0) -> float:
    """Factor in (0, 1] of a schedule.

    kind    constant; exponential: floor^share; cosine: half a period from 1 to floor; steps: x0.1 at 1/2 and 3/4
    warmup  share of the training over which the factor first rises linearly
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


def step_factor(epoch: int, fall: float, every: int, compounding: bool = False) -> float:
    """Factor of an epoch, counted from 0: fall^(epoch // every).

    compounding  the factor of every epoch multiplies the rate of the previous one, as in the programs of MetaIQA
    """
    if not compounding:
        return float(fall ** (epoch // every))
    return float(fall ** sum(e // every for e in range(epoch + 1)))


def stage_of(settings: Settings, epoch: int) -> tuple[int, float]:
    """(number, rate) of the stage that an epoch belongs to."""
    for number, (epochs, rate) in enumerate(settings.stages):
        if epoch < epochs:
            return number, rate
        epoch -= epochs
    if settings.stages:
        return len(settings.stages) - 1, settings.stages[-1][1]
    return 0, settings.rate


def autocast(settings: Settings, device: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision where the settings ask for it."""
    if settings.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, settings.precision))


class WeightAverage:
    """Exponential moving average of the parameters, which is validated and kept instead of them."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the averages towards the weights of the module."""
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value.detach(), 1 - self.decay)
            else:
                self.values[key].copy_(value)
