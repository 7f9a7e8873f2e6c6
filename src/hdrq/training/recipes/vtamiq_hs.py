"""Adapted to HDR with labels: KADID-10k shown as if on HDR screens, judged as on SDR ones."""

from hdrq.records import Recipe

vtamiq_hs = Recipe(
    name="vtamiq-hs",
    net="vtamiq",
    source="Chubarau et al. 2024, configuration S_HS; settings of train_da.py, HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_screen": "sdr",
        "labels": "kadid",
        "target": "kadid",
        "target_subset": "",
        "target_screen": "hdr",
        "target_labels": "kadid",
        "target_repeat": 1,
        "align": "coral",
        "align_weight": 0.025,
        "loss": {"mae": 1.0},
        "batch": 8,
        "rate": 5e-5,
        "epochs": 4,
        "holdout": 0.0,
        "repeats": 4,
    },
    variants={"paper": {"align": "deep-coral", "per": "epoch"}},
)
