"""VTAMIQ pre-trained on sRGB code of KADID-10k, as a start for HDR."""

from hdrq.records import Recipe

vtamiq_srgb = Recipe(
    name="vtamiq-srgb",
    net="vtamiq",
    source="Chubarau et al. 2024, run_pretrain_model.py of HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vit",
        "encoding": "srgb",
        "white": "sdr",
        "source": "kadid",
        "source_screen": "code",
        "labels": "kadid",
        "loss": {"rank": 1.0, "pearson": 1.0},
        "batch": 16,
        "patches": 384,
        "test_patches": 512,
        "repeats": 4,
        "epochs": 25,
        "rate": 1e-4,
        "per": "epoch",
        "holdout": 0.2,
    },
    variants={"paper": {"epochs": 50, "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0}}},
)
