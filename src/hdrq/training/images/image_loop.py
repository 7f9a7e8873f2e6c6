"""The training loop of networks whose output is an image: steps, validation, checkpoints.

It yields records and prints nothing. Every example has its own random numbers, from the seed and its number, so that a resumed
training gives the same weights as an uninterrupted one, bit for bit on the CPU, adversarial losses included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from hdrq.errors import HdrqError, UsageError
from hdrq.registry import find
from hdrq.training.checkpoint import PLOT, Progress, Saved, TrainingLog, load, save, save_best
from hdrq.training.images import loss as losses
from hdrq.training.images.critic import PatchCritic
from hdrq.training.images.image_recipe import Example, ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.loss import MetricLoss
from hdrq.training.images.scenes import Scene
from hdrq.training.network import WeightAverage, factor, set_rates
from hdrq.training.random_state import RandomState

# the weighted sum of the losses, among the scores of a validation
TOTAL = "loss"


@dataclass(frozen=True)
class ImageStep:
    """One optimisation step: the weighted sum of the losses, each loss, and that of the discriminator."""

    epoch: int
    step: int
    loss: float
    parts: Mapping[str, float]
    critic: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class ImageValidation:
    """Means over the held-out examples: the sum of the losses ("loss"), each loss, and the metrics."""

    epoch: int
    step: int
    scores: Mapping[str, float]
    best: bool


Record = ImageStep | ImageValidation | Saved


class ImageLearner:
    """The network with its losses, optimiser, discriminator and weight average."""

    def __init__(
        self,
        recipe: ImageRecipe,
        settings: ImageSettings,
        device: torch.device,
        start: Callable[[nn.Module], None],
    ) -> None:
        self.recipe, self.settings, self.device = recipe, settings, device
        self.losses = {text: (losses.of(text), weight) for text, weight in settings.loss.items()}
        self.metrics = {text: MetricLoss(text, judge=True) for text in settings.metrics}
        self.module: nn.Module = find("net", settings.net).built(settings.options)
        start(self.module)
        self.module.to(device)
        for bound, _ in self.losses.values():
            if bound.net is not None:
                bound.net.to(device)
        self.optimiser = optimiser_of(settings, settings.rate, self.module)
        adversarial = [b for b, _ in self.losses.values() if b.adversarial]
        if len(adversarial) > 1:
            raise UsageError("a training has one adversarial loss; leave out the others")
        self.adversarial = adversarial[0] if adversarial else None
        self.critic = PatchCritic(scales=settings.critic_scales).to(device) if adversarial else None
        self.critics = optimiser_of(settings, settings.critic_rate, self.critic) if self.critic else None
        self.average = WeightAverage(self.module, settings.ema) if settings.ema else None

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "averaged": self.average.values if self.average is not None else {},
        }
        if self.critic is not None and self.critics is not None:
            found |= {"critic": self.critic.state_dict(), "critics": self.critics.state_dict()}
        return found

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.values = {k: v.to(self.device) for k, v in state["averaged"].items()}
        if self.critic is not None and self.critics is not None:
            self.critic.load_state_dict(state["critic"])
            self.critics.load_state_dict(state["critics"])

    def step(self, batch: Mapping[str, Tensor], share: float) -> tuple[float, dict[str, float], float]:
        """(sum of the losses, each loss, loss of the discriminator) of one step, with the rates times `share`."""
        self.module.train()
        output = self.recipe.output(self.module, batch, self.settings)
        critic = self._train_critic(output, share)
        parts = self._parts(output)
        total = sum((w * parts[t] for t, (_, w) in self.losses.items()), torch.zeros((), device=self.device))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        if self.settings.clip > 0:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip)
        set_rates(self.optimiser, share)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.module)
        return float(total.detach()), {t: float(v.detach()) for t, v in parts.items()}, critic

    def _train_critic(self, output: ImageOutput, share: float) -> float:
        """One step of the discriminator; returns its loss, 0 without an adversarial loss."""
        if self.adversarial is None or self.critic is None or self.critics is None:
            return 0.0
        real = output.real if output.real is not None else output.target
        if real is None:
            raise UsageError(f"{self.adversarial.text} needs real images, which this recipe does not have")
        nits = self.settings.nits
        shown, wanted = (self.adversarial.as_read(x.detach(), output, nits) for x in (output.image, real))
        loss_of = self.adversarial.entry.card.critics
        found = torch.stack([loss_of(one(shown), one(wanted)) for one in self.critic.scales]).mean()
        self.critics.zero_grad(set_to_none=True)
        found.backward()
        set_rates(self.critics, share)
        self.critics.step()
        return float(found.detach())

    def _parts(self, output: ImageOutput) -> dict[str, Tensor]:
        return {t: bound(output, self.settings.nits, self.critic) for t, (bound, _) in self.losses.items()}

    @torch.no_grad()
    def validate(self, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
        """Means over held-out batches of equal size; with an average of the weights, of the network that has it."""
        own = None
        if self.average is not None:
            own = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
            self.module.load_state_dict(self.average.values)
        self.module.eval()
        rows = []
        for batch in batches:
            output = self.recipe.output(self.module, batch, self.settings)
            row = {t: float(v) for t, v in self._parts(output).items()}
            row[TOTAL] = sum(w * row[t] for t, (_, w) in self.losses.items())
            row |= {t: float(m.value(output, self.settings.nits).mean()) for t, m in self.metrics.items()}
            rows.append(row)
        if own is not None:
            self.module.load_state_dict(own)
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}

    def better(self, scores: Mapping[str, float]) -> float:
        """The criterion of the best epoch; higher is better."""
        name = self.settings.best_by or TOTAL
        if name not in scores:
            raise UsageError(f"best_by is one of {', '.join(scores)}, not '{name}'")
        judge = self.metrics.get(name)
        return scores[name] if judge is not None and judge.higher else -scores[name]

    def weights(self) -> dict[str, Any]:
        """The weights to keep."""
        return self.average.values if self.average is not None else self.module.state_dict()


def optimiser_of(settings: ImageSettings, rate: float, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser over the parameters of a module; its group stores the initial rate as `base`."""
    groups = [{"params": [p for p in module.parameters() if p.requires_grad], "lr": rate, "base": rate}]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, weight_decay=settings.decay, momentum=0.9)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, weight_decay=settings.decay)


def chance_of(seed: int, part: int, number: int) -> Generator:
    """Random numbers of one example: of the seed, the part (0: training, 1: held out) and its number."""
    drawn = np.random.SeedSequence([seed, part, number]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(drawn[0]))


def batch_of(examples: Sequence[Example], device: torch.device) -> Example:
    """Examples stacked along a new first dimension, on a device."""
    return {name: torch.stack([e[name] for e in examples]).to(device) for name in examples[0]}


def held_batches(
    recipe: ImageRecipe, settings: ImageSettings, scenes: Sequence[Scene], device: torch.device
) -> list[Example]:
    """The held-out examples, the same in every epoch: held_crops of each scene, a batch for each scene."""
    found = []
    for number, scene in enumerate(scenes):
        first = number * settings.held_crops
        examples = [
            recipe.example([scene], settings, chance_of(settings.seed, 1, first + i))
            for i in range(settings.held_crops)
        ]
        found.append(batch_of(examples, device))
    return found


def fit_images(
    recipe: ImageRecipe,
    settings: ImageSettings,
    scenes: Sequence[Scene],
    held_out: Sequence[Scene],
    folder: Path,
    *,
    device: torch.device | None = None,
    start: Callable[[nn.Module], None] = lambda module: None,
    resume: bool = False,
    save_every: float = 60.0,
) -> Iterator[Record]:
    """Train one network; yields a record for every step, validation and file.

    folder  for last.pt, best.pt (weights of the best epoch), metrics.csv and curves.png
    start   loads initial weights into the new module
    resume  continue from last.pt, where it exists
    """
    device = device or torch.device("cpu")
    folder.mkdir(parents=True, exist_ok=True)
    random = RandomState(settings.seed, device)
    with random:
        learner = ImageLearner(recipe, settings, device, start)
        held = held_batches(recipe, settings, held_out, device)
    progress = Progress()
    state = load(folder, settings.digest) if resume else None
    if state is not None:
        learner.restore(state["learner"])
        progress = Progress(**state["progress"])
        random.restore(state)
    names = (*settings.loss, TOTAL, *settings.metrics)
    log = TrainingLog(folder, progress.done, columns=("kind", "epoch", "step", "rate", "critic", *names))
    total = settings.epochs * settings.steps
    saved_at = time.monotonic()

    def checkpoint() -> Saved:
        nonlocal saved_at
        saved_at = time.monotonic()
        return Saved(save(folder, settings.digest, progress, {"learner": learner.state(), **random.state()}))

    while progress.done < total and not (settings.patience and progress.since_best >= settings.patience):
        while progress.step < settings.steps:
            began = time.monotonic()
            numbers = range(progress.done * settings.batch, (progress.done + 1) * settings.batch)
            with random:
                examples = [recipe.example(scenes, settings, chance_of(settings.seed, 0, n)) for n in numbers]
                share = factor(settings.schedule, progress.done / total, settings.floor, settings.warmup)
                found, parts, critic = learner.step(batch_of(examples, device), share)
            progress.step, progress.done = progress.step + 1, progress.done + 1
            if not isfinite(found):
                raise HdrqError(
                    f"the loss became {found} at step {progress.done}; try a lower rate: "
                    f"--set rate={settings.rate / 10:g}"
                )
            rate, now = share * settings.rate, time.monotonic()
            step = ImageStep(progress.epoch, progress.done, found, parts, critic, rate, now - began)
            log.write("step", {**vars(step), **parts})
            yield step
            if now - saved_at > save_every:
                yield checkpoint()
        progress.epoch, progress.step = progress.epoch + 1, 0
        with random:
            scores = learner.validate(held)
        value = learner.better(scores) if scores else float("inf")
        best = not scores or value > progress.best
        progress.best, progress.since_best = (value, 0) if best else (progress.best, progress.since_best + 1)
        if best:
            yield Saved(
                save_best(folder, settings.digest, learner.weights(), {"epoch": progress.epoch, **scores})
            )
        if scores:
            seen = ImageValidation(progress.epoch, progress.done, scores, best)
            log.write("validation", {**vars(seen), **scores})
            yield seen
        yield checkpoint()
    log.plot(folder / PLOT, names)
    yield Saved(folder / PLOT)
