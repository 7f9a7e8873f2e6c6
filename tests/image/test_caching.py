"""What is kept between calls can be used in any mode, whichever mode it was made in."""

from __future__ import annotations

import ast
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


def cached_tensors(text: str) -> list[str]:
    """Names of functions that functools caches and that return tensors, by their annotations."""
    return [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and any(re.match(r"(functools\.)?(lru_)?cache\b", ast.unparse(d)) for d in node.decorator_list)
        and re.search(r"\b(Tensor|Module)\b", ast.unparse(node.returns) if node.returns else "")
    ]


def test_tensors_are_kept_in_no_other_way() -> None:
    home = Path(hdrq.__file__).parent
    plain = [(str(p.relative_to(home)), n) for p in home.rglob("*.py") for n in cached_tensors(p.read_text())]
    assert plain == []
    assert cached_tensors("@lru_cache\ndef taps(n: int) -> list[Tensor]: ...") == ["taps"]
