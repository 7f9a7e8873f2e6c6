"""Adapted to HDR without labels: the scenes of SI-HDR on HDR screens."""

from hdrq.records import Recipe

vtamiq_hu_sihdr = Recipe(
    name="vtamiq-hu-sihdr",
    net="vtamiq",
    source="Chubarau et al. 2024, configuration S_HU_SIHDR; settings of train_da.py, HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_screen": "sdr",
        "labels": "kadid",
        "target": "sihdr",
        "target_subset": "",
        "target_screen": "hdr-linear",
        "target_labels": "",
        "target_repeat": 1,
        "align": "coral",
        "align_weight": 0.025,
        "loss": {"mae": 1.0},
        "batch": 8,
        "rate": 5e-5,
        "epochs": 6,
        "holdout": 0.0,
        "repeats": 4,
    },
    variants={"paper": {"align": "deep-coral", "per": "epoch"}},
)
