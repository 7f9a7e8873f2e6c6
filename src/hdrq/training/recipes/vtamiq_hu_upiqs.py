"""Adapted without labels to UPIQ's SDR part, in its true luminance."""

from hdrq.records import Recipe

vtamiq_hu_upiqs = Recipe(
    name="vtamiq-hu-upiqs",
    net="vtamiq",
    source="Chubarau et al. 2024, configuration S_HU_UPIQS; settings of train_da.py, HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_screen": "sdr",
        "labels": "kadid",
        "target": "upiq",
        "target_subset": "sdr",
        "target_screen": "nits",
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
