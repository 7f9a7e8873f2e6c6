"""What is kept between calls can be used in any mode, whichever mode it was made in."""

from __future__ import annotations

import re
from pathlib import Path

import torch

import hdrq
from hdrq.image.caching import cached


def test_a_kept_tensor_that_was_made_in_inference_mode_takes_part_in_gradients() -> None:
    made = []

    @cached(4)
    def ramp(n: int) -> torch.Tensor:
        made.append(n)
        return torch.arange(n, dtype=torch.float32)

    with torch.inference_mode():
        first = ramp(3)
    assert ramp(3) is first
    assert made == [3]
    x = torch.ones(3, requires_grad=True)
    (x * first).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 2]
    assert ramp.__name__ == "ramp"


def test_tensors_are_kept_in_no_other_way() -> None:
    home = Path(hdrq.__file__).parent
    plain = [
        str(path.relative_to(home))
        for path in home.rglob("*.py")
        if path.name != "cached.py"
        and re.search(r"^@(lru_)?cache\b", text := path.read_text(), re.M)
        and re.search(r"^(import torch|from torch)", text, re.M)
    ]
    assert plain == []
