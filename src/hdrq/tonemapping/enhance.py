"""Reconstruction of a tone-mapped image at a requested quality, by a network that separates quality and content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hdrq import io
from hdrq.encoding.convert import Converted
from hdrq.errors import DomainError, HdrqError, PixelError, UsageError
from hdrq.io.remote import make_folder
from hdrq.nn.image_networks import Use
from hdrq.nn.networks import Network, network_named, use_of, uses
from hdrq.records import MAIN_IMAGE, Image, Selection
from hdrq.registry import names
from hdrq.tonemapping.contact_sheet import Tile, reduced, sheet

# pixels per side, the smallest input of the encoder
_LEAST = 64


def enhancer(text: str) -> Network:
    """The network of NET or NET@WEIGHTS; UsageError names those that can, MissingPart says how to get weights."""
    net = text.partition("@")[0]
    use = use_of(net, "enhance") if net in names("net") else None
    if use is None:
        raise UsageError(f"'{net}' cannot enhance images; networks that can are {', '.join(uses('enhance'))}")
    return network_named(text, use)


def quality_sheet(
    use: Use, net: nn.Module, code: Tensor, qualities: Sequence[float], seed: int = 0
) -> tuple[Image, list[str]]:
    """(the image at rising qualities side by side, with its own among them; lines on qualities that cannot be reached).

    Raises HdrqError where none of them can be reached.
    """
    found: list[tuple[float, Tile]] = []
    own, lost = float("nan"), []
    for wanted in qualities:
        try:
            made, own, reached = use.apply(net, code, wanted, seed)
            found.append((wanted, Tile(f"{wanted:g}, {reached:.3f} reached", made)))
        except HdrqError as error:
            lost.append(str(error))
    if not found:
        raise HdrqError(lost[0] if lost else "name at least one quality")
    found.append((own, Tile(f"as it is, {own:.3f}", code)))
    tiles = [tile for _, tile in sorted(found, key=lambda pair: pair[0])]
    return sheet([replace(t, code=reduced(t.code)) for t in tiles]), lost


def enhance_files(
    jobs: list[tuple[Path, Path]],
    network: Network,
    quality: float | Sequence[float],
    device: torch.device,
    seed: int = 0,
    select: Selection = MAIN_IMAGE,
) -> Iterator[Converted]:
    """Every file, with a note on the quality before and after; of several qualities, a sheet of the image at each."""
    net = network.module().to(device)
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
            if not isinstance(quality, int | float):
                shown, lost = quality_sheet(network.use, net, code, quality, seed)
                make_folder(target.parent)
                io.write(target, replace(shown, primaries=image.primaries))
                yield Converted(source, target, (*image.notes, *lost))
                continue
            made, before, reached = network.use.apply(net, code, quality, seed)
            make_folder(target.parent)
            io.write(target, Image(made.cpu(), "srgb", image.primaries, bits=8))
            note = f"quality {before:.3f} before, {reached:.3f} after (requested {quality:g})"
            yield Converted(source, target, (*image.notes, note))
        except HdrqError as error:
            yield Converted(source, target, error=str(error))
        except OSError as error:
            yield Converted(source, target, error=f"{target} cannot be written: {error.strerror}")
