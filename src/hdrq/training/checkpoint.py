"""Files written by a training: checkpoints to resume from, the best weights, and a log of measurements with its plot."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io import atomic

LAST, BEST, LOG, PLOT = "last.pt", "best.pt", "metrics.csv", "curves.png"


@dataclass(frozen=True)
class Step:
    """One optimisation step; `seconds` includes the wait for its batch."""

    epoch: int
    step: int
    loss: float
    aligned: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Validation:
    """Agreement with the labels of the held-out items; `predicted` is in the order of the items."""

    epoch: int
    step: int
    srocc: float
    plcc: float
    mae: float
    best: bool
    predicted: tuple[float, ...]


@dataclass(frozen=True)
class Saved:
    """A file has been written."""

    path: Path


Record = Step | Validation | Saved


@dataclass
class Progress:
    """The next step is step `step` of `epoch`; `done` steps are finished, in stage `stage` of the schedule."""

    epoch: int = 0
    step: int = 0
    done: int = 0
    best: float = float("-inf")
    since_best: int = 0
    stage: int = 0


def save(folder: Path, digest: str, progress: Progress, parts: dict[str, Any]) -> Path:
    """Write last.pt: tensors and plain values only, so that it can be read without unpickling code."""
    with atomic(folder / LAST) as part:
        torch.save({"run": digest, "progress": vars(progress).copy(), **parts}, part)
    return folder / LAST


def load(folder: Path, digest: str) -> dict[str, Any] | None:
    """The state in last.pt, or None without that file. Raises UsageError where it belongs to other settings."""
    path = folder / LAST
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _damaged(path) from error
    if state.get("run") != digest:
        raise UsageError(
            f"{path} belongs to a training with other settings; use another --output, or remove it"
        )
    return state


def finished(folder: Path) -> Progress:
    """How far the training in a folder has come; its tensors are not read."""
    if not (folder / LAST).exists():
        return Progress()
    try:
        held = torch.load(folder / LAST, map_location="cpu", weights_only=True, mmap=True)
        return Progress(**held["progress"])
    except Exception as error:
        raise _damaged(folder / LAST) from error


def _damaged(path: Path) -> FileError:
    return FileError(f"{path} is damaged; remove it to train from the beginning")


def save_best(
    folder: Path,
    digest: str,
    values: dict[str, Any],
    seen: Validation | Mapping[str, float] | None = None,
) -> Path:
    """Write best.pt, the weights and the agreement (or other numbers) measured with them."""
    if isinstance(seen, Validation):
        measured = {k: getattr(seen, k) for k in ("srocc", "plcc", "mae", "epoch")}
    else:
        measured = dict(seen or {})
    with atomic(folder / BEST) as part:
        torch.save({"run": digest, "module": values, "seen": measured}, part)
    return folder / BEST


def load_best(folder: Path, part: str = "module") -> dict[str, Any]:
    """The weights in best.pt, or with part="seen" the agreement measured with them."""
    held = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    return dict(held.get(part, {}))


class TrainingLog:
    """metrics.csv, one row per record. Rows after step `done` are removed, so that a resumed training repeats none."""

    COLUMNS = ("kind", "epoch", "step", "loss", "aligned", "rate", "srocc", "plcc", "mae")

    def __init__(
        self, folder: Path, done: int, tensorboard: bool = False, columns: Sequence[str] = COLUMNS
    ) -> None:
        self.columns = tuple(columns)
        self.path = folder / LOG
        self.board = tensorboard_writer(folder, done) if tensorboard else None
        rows = self.rows() if done else []
        earlier = [r for r in rows if int(r["step"]) <= done]
        with atomic(self.path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(earlier)

    def rows(self) -> list[dict[str, str]]:
        """The rows written so far."""
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def add(self, kind: str, record: Step | Validation) -> None:
        """Append the fields of a record as a row."""
        self.write(kind, vars(record))

    def write(self, kind: str, record: Mapping[str, Any]) -> None:
        """Add one row of those values that have a column."""
        values = {"kind": kind} | {k: v for k, v in record.items() if k in self.columns}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow({k: _short(v) for k, v in values.items()})
        if self.board is not None:
            for name in self.columns[3:]:
                if name in values:
                    self.board.add_scalar(f"{kind}/{name}", values[name], record["step"])
            self.board.flush()

    def plot(self, path: Path, curves: Sequence[str] = ("srocc", "plcc")) -> None:
        """Plot loss and agreement over the steps as PNG and PDF, without pyplot, so that the caller's backend stays.

        curves  columns of the validation to plot on the right
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        rows = self.rows()
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        steps = [(int(r["step"]), float(r["loss"])) for r in rows if r["kind"] == "step" and r["loss"]]
        if steps:
            left.plot(*zip(*steps), lw=0.8)
        left.set(
            xlabel="step", ylabel="loss", yscale="log" if steps and min(v for _, v in steps) > 0 else "linear"
        )
        for name in curves:
            points = [(int(r["step"]), float(r[name])) for r in rows if r["kind"] == "validation" and r[name]]
            if points:
                right.plot(*zip(*points), marker=".", label=name.upper())
                right.legend()
        ylabel = "agreement on held-out scenes" if "srocc" in curves else "on held-out scenes"
        right.set(xlabel="step", ylabel=ylabel)
        for format, metadata in (("png", {}), ("pdf", {"CreationDate": None})):
            with atomic(path.with_suffix(f".{format}")) as part:
                figure.savefig(part, dpi=110, format=format, metadata=metadata)


def tensorboard_writer(folder: Path, done: int) -> Any:
    """A TensorBoard writer that discards events after step `done`."""
    return tensorboard_class()(folder, purge_step=done + 1)


def tensorboard_class() -> Any:
    """The class of TensorBoard writers. Raises MissingPart without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingPart(
            "--tensorboard needs the tensorboard package; try: pip install tensorboard"
        ) from error
    return SummaryWriter


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
