"""Adapted to HDR with labels: the HDR part of UPIQ."""

from hdrq.records import Recipe

vtamiq_hl = Recipe(
    name="vtamiq-hl",
    net="vtamiq",
    source="Chubarau et al. 2024, configuration S_HL; settings of train_da.py, HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_screen": "sdr-constant",
        "labels": "kadid",
        "target": "upiq",
        "target_subset": "hdr",
        "target_screen": "nits",
        "target_labels": "jod",
        "target_repeat": 8,
        "align": "coral",
        "align_weight": 0.025,
        "loss": {"mae": 1.0},
        "batch": 8,
        "rate": 5e-5,
        "epochs": 15,
        "holdout": 0.0,
        "repeats": 4,
    },
    variants={"paper": {"align": "deep-coral", "per": "epoch"}},
)
