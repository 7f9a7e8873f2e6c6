"""Checkpoints of a run, and the log of what it measured."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io import atomic
from hdrq.training.validation import Validation


@dataclass(frozen=True)
class Step:
    """One update."""

    epoch: int
    step: int
    loss: float
    aligned: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Kept:
    """A file written."""

    path: Path


Record = Step | Validation | Kept


LAST = "last.pt"


@dataclass
class Progress:
    """Where a run stands: the next step is number `step` of `epoch`, `done` steps lie behind, in stage `stage`."""

    epoch: int = 0
    step: int = 0
    done: int = 0
    best: float = float("-inf")
    since_best: int = 0
    stage: int = 0


def save(folder: Path, digest: str, progress: Progress, parts: dict[str, Any]) -> Path:
    """Write last.pt: tensors and plain values only, so that it can be read without unpickling code."""
    state = {"run": digest, "progress": vars(progress).copy(), "random": torch.get_rng_state(), **parts}
    if torch.cuda.is_available():
        state["cuda_random"] = torch.cuda.get_rng_state_all()
    with atomic(folder / LAST) as part:
        torch.save(state, part)
    return folder / LAST


def load(folder: Path, digest: str) -> dict[str, Any] | None:
    """The kept state, None where there is none; UsageError where it belongs to another run."""
    path = folder / LAST
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FileError(f"{path} is damaged; remove it to start anew") from error
    if state.get("run") != digest:
        raise UsageError(f"{path} belongs to a run with other settings; use another --output, or remove it")
    return state


def restore_random(state: dict[str, Any]) -> None:
    """Put the generators back where they were."""
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and "cuda_random" in state:
        torch.cuda.set_rng_state_all(state["cuda_random"])


class Curves:
    """metrics.csv of a run folder: one row a record, and nothing twice after a resume."""

    COLUMNS = ("kind", "epoch", "step", "loss", "aligned", "rate", "srocc", "plcc", "mae")

    def __init__(self, folder: Path, done: int, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.csv"
        self.board = board(folder, done) if tensorboard else None
        rows = self.rows() if done else []
        kept = [r for r in rows if int(r["step"]) <= done]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.COLUMNS)
            writer.writeheader()
            writer.writerows(kept)

    def rows(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def add(self, **values: Any) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.COLUMNS).writerow({k: _short(v) for k, v in values.items()})
        if self.board is not None:
            for name in self.COLUMNS[3:]:
                if name in values:
                    self.board.add_scalar(f"{values['kind']}/{name}", values[name], values["step"])
            self.board.flush()

    def draw(self, path: Path) -> None:
        """Loss and agreement over the steps, as a picture."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        rows = self.rows()
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
        steps = [(int(r["step"]), float(r["loss"])) for r in rows if r["kind"] == "step" and r["loss"]]
        if steps:
            left.plot(*zip(*steps), lw=0.8)
        left.set(
            xlabel="step", ylabel="loss", yscale="log" if steps and min(v for _, v in steps) > 0 else "linear"
        )
        for name in ("srocc", "plcc"):
            points = [(int(r["step"]), float(r[name])) for r in rows if r["kind"] == "validation" and r[name]]
            if points:
                right.plot(*zip(*points), marker=".", label=name.upper())
                right.legend()
        right.set(xlabel="step", ylabel="agreement on held-out scenes")
        with atomic(path) as part:
            figure.savefig(part, dpi=110, format="png")
        plt.close(figure)


def board(folder: Path, done: int) -> Any:
    """A writer for TensorBoard, what it holds past step `done` forgotten; MissingPart without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingPart(
            "--tensorboard needs the tensorboard package; try: pip install tensorboard"
        ) from error
    return SummaryWriter(folder, purge_step=done + 1)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
