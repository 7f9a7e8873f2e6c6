"""VTAMIQ pre-trained on sRGB code of KADID-10k, as initial weights for HDR."""

from hdrq.training.adaptation_recipes import pretrained

vtamiq_srgb = pretrained(
    "vtamiq-srgb",
    "vtamiq",
    start="vit",
    patches=384,
    test_patches=512,
    holdout=0.2,
)
