"""VTAMIQ pre-trained on sRGB code of KADID-10k, as initial weights for HDR."""

from hdrq.training.adaptation_recipes import pretrained

vtamiq_srgb = pretrained(
    "vtamiq-srgb",
    "vtamiq",
    options={"scales": 1},
    start="vit",
    batch=16,
    patches=384,
    test_patches=512,
    repeats=4,
    holdout=0.2,
)
