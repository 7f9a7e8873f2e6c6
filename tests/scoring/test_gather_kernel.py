"""The kernel of hdrq::gather for GPUs, program by program with torch in the place of Triton: every index and every bit.

test_sampling.py runs it in Triton's own interpreter where Triton is installed, and bench/gpu.py on a GPU.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from hdrq.scoring.sampling import cut, plan


class Pointer:
    """An address in a tensor: what a kernel is given for a tensor, and what adding numbers to it gives."""

    def __init__(self, values: Tensor, at: Any = 0) -> None:
        self.values, self.at = values, torch.as_tensor(at)

    def __add__(self, step: Any) -> Pointer:
        return Pointer(self.values, self.at + step)

    def places(self, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Addresses that are used, all of which lie in the tensor, and which of the lanes they belong to."""
        lanes = torch.ones_like(self.at, dtype=torch.bool) if mask is None else mask.expand_as(self.at)
        used = self.at[lanes]
        assert bool(((used >= 0) & (used < self.values.numel())).all()), "an address outside a tensor"
        return used, lanes


def load(pointer: Pointer, mask: Tensor | None = None) -> Tensor:
    used, lanes = pointer.places(mask)
    found = torch.full(pointer.at.shape, -999, dtype=pointer.values.dtype)
    found[lanes] = pointer.values.view(-1)[used]
    return found


def store(pointer: Pointer, value: Tensor, mask: Tensor | None = None) -> None:
    used, lanes = pointer.places(mask)
    pointer.values.view(-1)[used] = value[lanes]


class Jit:
    """A kernel that runs its programs one after the other."""

    place: tuple[int, ...] = ()

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*arguments: Any, **options: Any) -> None:
            given = [Pointer(a) if isinstance(a, Tensor) else a for a in arguments]
            for Jit.place in itertools.product(*map(range, grid)):
                self.function(*given, **options)

        return launch


@pytest.fixture
def kernel(monkeypatch) -> Iterator[ModuleType]:
    """gather_triton, with a Triton that knows what it uses."""
    triton, language = ModuleType("triton"), ModuleType("triton.language")
    vars(triton).update(jit=Jit, cdiv=lambda a, b: -(-a // b), language=language)
    vars(language).update(
        constexpr=int,
        int64=torch.int64,
        program_id=lambda axis: torch.tensor(Jit.place[axis]),
        arange=torch.arange,
        load=load,
        store=store,
    )
    name = "hdrq.scoring.sampling.gather_triton"
    for key, module in (("triton", triton), ("triton.language", language)):
        monkeypatch.setitem(sys.modules, key, module)
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


@pytest.mark.parametrize("sets", [1, 2])
def test_every_program_of_the_kernel_cuts_the_bits_of_the_cpu(kernel: ModuleType, sets: int) -> None:
    """Patches of 18 pixels need two programs each; four levels need the kernel that halves twice."""
    images = torch.rand(2, 3, 150, 163, generator=torch.Generator().manual_seed(sets))
    where = plan((150, 163), 9, patch=18, scales=4, sets=sets)
    assert len(where.counts) >= 3
    assert min(where.counts) > 0
    assert torch.equal(cut(images, where), kernel.gather(images, where.pixels(), where.counts, 18))


def test_levels_without_patches_are_left_out(kernel: ModuleType) -> None:
    images = torch.rand(1, 1, 40, 50, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[[1, 2], [3, 1]]])
    found = kernel.gather(images, corners, [0, 0, 2], 5)
    wanted = [images[:, :, 4 * y : 4 * y + 20, 4 * x : 4 * x + 20] for y, x in corners[0].tolist()]
    means = [torch.nn.functional.avg_pool2d(w, 4) for w in wanted]
    assert torch.allclose(found, torch.stack(means, 1), atol=1e-6)
