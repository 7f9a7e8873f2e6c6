"""Adapted to HDR without labels: KADID-10k shown as if on HDR screens."""

from hdrq.records import Recipe

vtamiq_hu_kadid = Recipe(
    name="vtamiq-hu-kadid",
    net="vtamiq",
    source="Chubarau et al. 2024, configuration S_HU_KADID; settings of train_da.py, HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_screen": "sdr",
        "labels": "kadid",
        "target": "kadid",
        "target_subset": "",
        "target_screen": "hdr",
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
