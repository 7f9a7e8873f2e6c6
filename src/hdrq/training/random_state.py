"""The random state of a training, separate from that of the calling program."""

from __future__ import annotations

from typing import Any

import torch


class RandomState:
    """State of torch's default generators: active inside a `with` block; outside, the caller's state is restored.

    Training uses the default generators (dropout, initial weights). It yields records in between, and the caller must
    then find its own random state unchanged.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        if device.type == "cuda":
            torch.cuda.init()
        self._outside = _read()
        torch.default_generator.manual_seed(seed)
        if self._outside[1]:
            torch.cuda.manual_seed_all(seed)
        self._own = _read()
        _write(self._outside)

    def __enter__(self) -> None:
        self._outside = _read()
        _write(self._own)

    def __exit__(self, *_: object) -> None:
        self._own = _read()
        _write(self._outside)

    def state(self) -> dict[str, Any]:
        """The state as plain values, for a checkpoint."""
        return {"random": self._own[0], **({"cuda_random": self._own[1]} if self._own[1] else {})}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._own = (state["random"], state.get("cuda_random", self._own[1]))


def _read() -> tuple[torch.Tensor, list[torch.Tensor]]:
    on_gpu = torch.cuda.is_available() and torch.cuda.is_initialized()
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if on_gpu else []


def _write(state: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
