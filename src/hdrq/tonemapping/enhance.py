"""Reconstruction of a tone-mapped image at a requested quality, by a network that separates quality and content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrq import io
from hdrq.encoding.convert import Converted
from hdrq.errors import DomainError, HdrqError, PixelError, UsageError
from hdrq.io.remote import make_folder
from hdrq.nn.input_scaling import CONVENTIONS, enter
from hdrq.nn.weights import load
from hdrq.records import MAIN_IMAGE, Image, Selection
from hdrq.registry import find, names

_LEAST = 64  # pixels per side, the smallest input of the encoder


def enhancer(text: str, device: torch.device) -> Any:
    """The network of NET[@WEIGHTS]; the error says how to get one."""
    name, _, weights = text.partition("@")
    able = [n for n in names("net") if find("net", n).enhances]
    if name not in able:
        raise UsageError(f"'{name}' cannot enhance images; networks that can are {', '.join(able)}")
    return load(name, weights, "srgb").to(device)


def enhance(net: Any, code: Tensor, quality: float, seed: int = 0) -> tuple[Tensor, float]:
    """(sRGB code (1, 3, H, W) at a quality, the quality that the network then predicts); in the unit of its weights."""
    made, reached = net.towards(enter(code, net), quality, seed)
    mean, std = (torch.tensor(v).to(made).reshape(3, 1, 1) for v in CONVENTIONS[net.intake])
    return (made * std + mean).clamp(0, 1), reached


def enhance_files(
    jobs: list[tuple[Path, Path]],
    net: Any,
    quality: float,
    device: torch.device,
    seed: int = 0,
    select: Selection = MAIN_IMAGE,
) -> Iterator[Converted]:
    """Every file, with a note on the quality before and after."""
    for source, target in jobs:
        try:
            image = io.read_one(source, select)
            if image.domain != "srgb":
                raise DomainError(
                    f"{source} is {image.domain}; --enhance needs tone-mapped images of sRGB code"
                )
            if min(image.size) < _LEAST:
                raise PixelError(
                    f"{source} is smaller than {_LEAST} pixels per side, too small for --enhance"
                )
            code = image.pixels.to(device).expand(-1, 3, -1, -1).float()
            with torch.no_grad():
                before = float(net(enter(code, net))[0])
            made, reached = enhance(net, code, quality, seed)
            make_folder(target.parent)
            io.write(target, Image(made.cpu(), "srgb", image.primaries, bits=8))
            note = f"quality {before:.3f} before, {reached:.3f} after (requested {quality:g})"
            yield Converted(source, target, (*image.notes, note))
        except HdrqError as error:
            yield Converted(source, target, error=str(error))
        except OSError as error:
            yield Converted(source, target, error=f"{target} cannot be written: {error.strerror}")
