"""Pictures of docs/methods.md: what mergers and expanders make of scenes that hdrq renders itself.

    python bench/methods_pictures.py [--out docs/img]

One bracket and one photograph as bench/methods.py draws them, of two scenes of docs/scenes.py. Light is shown on a logarithmic
scale that is the same for all, so that brightness can be compared; the number is PU21-PSNR or, of expanders, ColorVideoVDP.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from methods import MERGERS, NITS, examples, expanding, judged, merging
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from torch import Tensor

import hdrq
from hdrq.training.images.scenes import Scene

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from scenes import SCENES

# pixels of a tile, and of the line below it
TILE, LINE = 240, 20
# cd/m²: what is shown as black and as white
BLACK, WHITE = NITS / 200, NITS * 16


def shown(nits: Tensor) -> Tensor:
    """Light (3, H, W) as code 0..1, even steps for even ratios."""
    return (torch.log(nits.clamp(min=BLACK) / BLACK) / np.log(WHITE / BLACK)).clamp(0, 1)


def sheet(tiles: list[tuple[str, Tensor]], columns: int) -> Picture.Image:
    """Images (3, H, W) of code with a line of text below each, in rows."""
    rows = -(-len(tiles) // columns)
    canvas = Picture.new("RGB", (columns * TILE, rows * (TILE + LINE)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for k, (text, code) in enumerate(tiles):
        pixels = (code * 255).round().byte().permute(1, 2, 0).numpy()
        x, y = (k % columns) * TILE, (k // columns) * (TILE + LINE)
        canvas.paste(
            Picture.fromarray(pixels).resize((TILE - 4, TILE - 4), Picture.Resampling.LANCZOS), (x + 2, y + 2)
        )
        draw.text((x + 4, y + TILE), text, fill="black", font=font)
    return canvas


def merged(scene: Scene) -> list[tuple[str, Tensor]]:
    """The frames of a bracket, its light, and what every merger makes of it."""
    example = next(examples("merge", scene))
    tiles = [(f"frame {k + 1}", frame) for k, frame in enumerate(example["stack"])]
    tiles.append(("light of frame 2", shown(example["light"] * NITS)))
    for name, options in MERGERS.items():
        made = merging(dict(options))(example)
        score = judged("merge", example, made)["pu-psnr"]
        tiles.append((f"{name.removesuffix(' (default)')}: {score:.1f} dB", shown(made.pixels[0])))
    return tiles


def expanded(scene: Scene) -> list[tuple[str, Tensor]]:
    """A photograph with clipped highlights, the light of the scene, and what every expander makes of the photograph."""
    example = next(examples("expand", scene))
    light = example["light"] * NITS
    tiles = [("photograph", example["code"]), ("light of the scene", shown(light))]
    for name in hdrq.names("expander"):
        made = expanding(name)(example)
        score = judged("expand", example, made)["cvvdp"]
        scale = float(light.median() / made.pixels.median().clamp(min=1e-6))
        tiles.append((f"{name}: {score:.2f} JOD", shown(made.pixels[0] * scale)))
    return tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "img")
    folder = parser.parse_args().out
    for name, source, make, columns in (
        ("methods_merge", "room", merged, 5),
        ("methods_expand", "sunset", expanded, 5),
    ):
        made = make(Scene(source, SCENES[source](1020, 680)[0]))
        sheet(made, columns).save(folder / f"{name}.jpg", quality=88)
        print(folder / f"{name}.jpg")


if __name__ == "__main__":
    main()
