"""The domain distance that a run adds to its loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hdrq.engine.training.run import Run
from hdrq.ops.alignment import Adversary, Coral, deep_coral, mmd


class Alignment(nn.Module):
    """The domain distance of a run, with whatever it remembers or learns itself."""

    def __init__(self, kind: str, ema: float, features: int) -> None:
        super().__init__()
        self.kind = kind
        self.coral = Coral(ema)
        self.adversary = Adversary(features) if kind == "adversary" else None

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        if self.adversary is not None:
            return self.adversary(source, target)
        if self.kind == "deep-coral":
            return deep_coral(source, target)
        return mmd(source, target) if self.kind == "mmd" else self.coral(source, target)

    @classmethod
    def of(cls, run: Run) -> Alignment:
        """What a run asks for, over the features its network has."""
        return cls(
            run.align, run.align_ema, int(run.options.get("width", 768)) if run.net == "vtamiq" else 2048
        )

    def group(self, rate: float) -> list[dict[str, Any]]:
        """Parameters of its own, for the optimiser."""
        parameters = list(self.parameters())
        return [{"params": parameters, "lr": rate}] if parameters else []

    def memory(self) -> dict[str, Any]:
        return self.coral.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.coral.restore(state)
