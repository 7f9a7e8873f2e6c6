"""Write the cards and tensors of models/ that other programs trained: VGG16, LPIPS, ST-LPIPS and DISTS.

    python bench/ship_backbones.py FOLDER

FOLDER holds the originals, found by name:
    vgg16-397923af.pth, alexnet-owt-7be5be79.pth   torchvision (a file with the convolutions alone will do, .safetensors too)
    lpips/vgg.pth, lpips/alex.pth                  richzhang/PerceptualSimilarity, lpips/weights/v0.1
    dists/weights.pt                               dingkeyan93/DISTS, DISTS_pytorch
    stlpips/alex_shift_tolerant.pth                stlpips_pytorch 0.0.2, weights/vST0.0

Everything is stored in half precision; VGG16 is stored once and shared by lpips-vgg and dists.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hdrq.nn.import_weights import import_checkpoint

TORCHVISION = "BSD-3-Clause (torchvision); the pictures of ImageNet have terms of their own"
LPIPS = "BSD-2-Clause (LPIPS)"
CHECKED = "the authors' scores of five pairs of TID2013, within 1e-4"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path)
    here: Path = words.parse_args().folder

    def one(*patterns: str) -> Path:
        for pattern in patterns:
            for path in sorted(here.glob(pattern)):
                return path
        raise SystemExit(f"{here} has no {patterns[0]}")

    vgg, alex = one("vgg16*.pth", "*vgg16*.safetensors"), one("alexnet*.pth", "*alexnet*.safetensors")
    same = {"half": True, "folder": Path(__file__).parents[1] / "models", "replace": True}
    import_checkpoint(
        [vgg],
        "vgg16",
        name="vgg16-imagenet",
        options={"classes": 0},
        licence=TORCHVISION,
        data="ImageNet-1k (torchvision's IMAGENET1K_V1, convolutions)",
        **same,
    )
    for name, files, data, licence, more in (
        ("lpips-alex", [alex, one("lpips/alex.pth")], "BAPPS; AlexNet of ImageNet-1k", LPIPS, {}),
        (
            "lpips-vgg",
            [vgg, one("lpips/vgg.pth")],
            "BAPPS; VGG16 of ImageNet-1k",
            LPIPS,
            {"shares": ["vgg16-imagenet"]},
        ),
    ):
        import_checkpoint(
            files,
            "lpips",
            name=name,
            licence=f"{licence}; backbone: {TORCHVISION}",
            data=data,
            results={"checked": CHECKED} | ({} if more else {"default": "any"}),
            **same,
            **more,
        )
    import_checkpoint(
        [vgg, one("dists/weights.pt")],
        "dists",
        name="dists-vgg",
        licence=f"MIT (DISTS); backbone: {TORCHVISION}",
        data="KADID-10k and pairs of textures; VGG16 of ImageNet-1k",
        results={"checked": CHECKED, "default": "any"},
        shares=["vgg16-imagenet"],
        **same,
    )
    import_checkpoint(
        [one("stlpips/alex_shift_tolerant.pth")],
        "st-lpips",
        name="st-lpips-alex",
        licence="BSD-2-Clause (ST-LPIPS)",
        data="BAPPS; an anti-aliased AlexNet of ImageNet-1k",
        results={"checked": CHECKED, "default": "any"},
        **same,
    )


if __name__ == "__main__":
    main()
