"""Cutting of patches: `hdrq::gather` reads the pixels of a plan and no others, on CPU and GPU; `spread` is the way back.

A patch of level s is the mean over 2^s x 2^s blocks of full resolution. Instead of building a
pyramid of which little is used, the source block of every patch is read and halved s times. Each
halving is ((a + c) + (b + d)) / 4 with a, b above c, d, in every kernel, so that all agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.scoring.sampling.plan import Plan

# pixels read at once on the CPU, to fit the cache
_PIECE = 1 << 20
Curve = Callable[[Tensor], Tensor]


def cut(images: Tensor, plan: Plan, light: tuple[Curve, Curve] | None = None) -> Tensor:
    """Patches (B, N, C, p, p) of images (B, C, H, W), finest level first.

    light  (to light, to code): coarse levels are averaged in light, as by an eye or
           a lens, and not in code; only pixels that are read are converted
    """
    if tuple(images.shape[-2:]) != plan.size:
        h, w = plan.size
        raise UsageError(
            f"the plan is for {w}x{h} pixels, the images have {images.shape[-1]}x{images.shape[-2]}"
        )
    corners = plan.pixels()
    if light is None or not any(plan.counts[1:]):
        return _gathered(images, corners, list(plan.counts), plan.patch)
    decode, encode = light
    pieces, start = [], 0
    for level, n in enumerate(plan.counts):
        if not n:
            continue
        at = corners[:, start : start + n]
        start += n
        patches = _gathered(images, at << level, [n], plan.patch << level)
        if level:
            patches = decode(patches)
            for _ in range(level):
                patches = halve(patches)
            patches = encode(patches)
        pieces.append(patches)
    return torch.cat(pieces, 1)


def halve(x: Tensor) -> Tensor:
    """Means of 2x2 pixels; sides are even."""
    y = x[..., 0::2, :] + x[..., 1::2, :]
    return (y[..., 0::2] + y[..., 1::2]) * 0.25


def _gathered(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> Tensor:
    """The operator, or directly its CPU function where neither a gradient nor a compiler needs the operator.

    The first call of an operator imports torch's compiler, which takes 1.5 s of processor time.
    """
    plain = type(images) is Tensor and images.device.type == "cpu" and not torch.compiler.is_compiling()
    if plain and not (images.requires_grad and torch.is_grad_enabled()):
        return _gather_on_cpu(images, corners, counts, patch)
    found: Tensor = torch.ops.hdrq.gather(images, corners, counts, patch)
    return found


def _gather_on_cpu(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> Tensor:
    """(B, C, H, W), corners (1 or B, N, 2) int64 on the CPU, patches per level -> (B, N, C, p, p)."""
    check(images, corners, counts, patch)
    images = images.contiguous()
    b, c = images.shape[:2]
    out = images.new_empty(b, corners.shape[1], c, patch, patch)
    start = 0
    for level, n in enumerate(counts):
        step = max(1, _PIECE // (b * c * (patch << level) ** 2))
        for first in range(start, start + n, step):
            last = min(first + step, start + n)
            block = _blocks(images, corners[:, first:last] << level, patch << level)
            for _ in range(level):
                block = halve(block)
            out[:, first:last] = block
        start += n
    return out


_gather = torch.library.custom_op("hdrq::gather", _gather_on_cpu, mutates_args=())


def _blocks(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """(B, n, C, side, side) by copying whole rows from a view of all runs of `side` consecutive pixels."""
    b, c, h, w = images.shape
    runs = images.as_strided((images.numel() - side + 1, side), (1, 1))
    number = torch.arange(b * c, device=images.device).reshape(b, 1, c, 1) * (h * w)
    first = (corners[..., 0] * w + corners[..., 1])[:, :, None, None]
    rows = number + first + torch.arange(side, device=images.device) * w
    return runs.index_select(0, rows.flatten()).view(b, -1, c, side, side)


@torch.library.custom_op("hdrq::scatter", mutates_args=())
def _scatter(patches: Tensor, corners: Tensor, counts: Sequence[int], height: int, width: int) -> Tensor:
    """The transpose of gather, for its gradient: (B, N, C, p, p) -> (B, C, height, width)."""
    b, _, c, patch, _ = patches.shape
    out = patches.new_zeros(b * c * height * width)
    corners = corners.to(out.device)
    number = torch.arange(b * c, device=out.device).reshape(b, 1, c, 1, 1) * (height * width)
    start = 0
    for level, n in enumerate(counts):
        at, side = corners[:, start : start + n] << level, patch << level
        values = patches[:, start : start + n] * 0.25**level
        values = values.repeat_interleave(1 << level, -1).repeat_interleave(1 << level, -2)
        first = (at[..., 0] * width + at[..., 1])[:, :, None, None, None]
        inside = torch.arange(side, device=out.device)
        index = number + first + (inside[:, None] * width + inside)
        out.index_add_(0, index.flatten(), values.flatten())
        start += n
    return out.view(b, c, height, width)


@_gather.register_fake
def _(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> Tensor:
    return images.new_empty(images.shape[0], corners.shape[1], images.shape[1], patch, patch)


@_scatter.register_fake
def _(patches: Tensor, corners: Tensor, counts: Sequence[int], height: int, width: int) -> Tensor:
    return patches.new_empty(patches.shape[0], patches.shape[2], height, width)


@_gather.register_kernel("cuda")
def _(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> Tensor:
    from hdrq.scoring.sampling.gather_triton import gather

    check(images, corners, counts, patch)
    return gather(images, corners, counts, patch)


def _keep_gather(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    images, ctx.corners, ctx.counts, ctx.patch = inputs
    ctx.size = images.shape[-2:]


def _back_gather(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.hdrq.scatter(grad, ctx.corners, ctx.counts, *ctx.size), None, None, None


def _keep_scatter(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    patches, ctx.corners, ctx.counts, _, _ = inputs
    ctx.patch = patches.shape[-1]


def _back_scatter(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.hdrq.gather(grad, ctx.corners, ctx.counts, ctx.patch), None, None, None, None


torch.library.register_autograd("hdrq::gather", _back_gather, setup_context=_keep_gather)
torch.library.register_autograd("hdrq::scatter", _back_scatter, setup_context=_keep_scatter)


def check(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> None:
    """Refuse corners outside an image. Plans are on the CPU, so that this needs no synchronisation with a device."""
    if corners.shape[0] not in (1, images.shape[0]) or sum(counts) != corners.shape[1]:
        fit = f"{images.shape[0]} images and {sum(counts)} patches"
        raise UsageError(f"corners {tuple(corners.shape)} do not fit {fit}")
    for level, at in enumerate(corners.split(list(counts), 1)):
        room = torch.tensor([n >> level for n in images.shape[-2:]]) - patch
        if at.numel() and (int(at.min()) < 0 or bool((at.amax((0, 1)) > room).any())):
            raise UsageError(f"a patch of level {level} would reach outside the image")


def spread(values: Tensor, plan: Plan) -> Tensor:
    """(B, N) values spread over the pixels of their patches and summed, (B, 1, H, W) float64.

    A value is written at the four corners of its patch and the image is summed along both sides, so that
    large patches cost no more than small ones.
    """
    b = values.shape[0]
    h, w = plan.size
    scale = torch.from_numpy(plan.scales).to(values.device)
    first = plan.pixels().to(values.device) << scale[:, None]
    last = first + (plan.patch << scale)[:, None]
    plane = torch.arange(b, device=values.device)[:, None] * ((h + 1) * (w + 1))
    edges = values.new_zeros(b * (h + 1) * (w + 1), dtype=torch.float64)
    for rows, columns, sign in ((first, first, 1), (last, last, 1), (first, last, -1), (last, first, -1)):
        index = plane + rows[..., 0] * (w + 1) + columns[..., 1]
        edges.index_add_(0, index.flatten(), (sign * values.detach().double()).flatten())
    return edges.view(b, 1, h + 1, w + 1).cumsum(-1).cumsum(-2)[..., :h, :w]


def average(values: Tensor, plan: Plan) -> Tensor:
    """(B, N) values as a map (B, 1, H, W): the mean over the patches on a pixel, NaN where there is none."""
    covered = spread(torch.ones_like(values), plan).round()
    return torch.where(covered > 0, spread(values, plan) / covered, torch.nan).to(values.dtype)
