"""Settings shared by the recipes of the HDR domain-adaptation paper.

Source: Chubarau et al. 2024, doi:10.48550/arXiv.2405.00670; settings of train_da.py, HDR-IQA-dom-adapt abbf42b
"""

from __future__ import annotations

from typing import Any

from hdrq.records import Recipe

PAPER = {"align": "deep-coral", "per": "epoch"}  # settings in which the paper differs from its program
PAPER_PRETRAINING = {"epochs": 50, "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0}}
RETRAINED_PIEAPP = {"order": "dist-ref", "gate": "sigmoid", "intake": "imagenet"}


def pretrained(name: str, net: str, **changes: Any) -> Recipe:
    """Recipe of a network trained on sRGB code of KADID-10k from ImageNet weights, as initial weights for HDR."""
    settings = {
        "encoding": "srgb",
        "white": "sdr",
        "source": "kadid",
        "source_display": "code",
        "labels": "kadid",
        "loss": {"rank": 1.0, "pearson": 1.0},
        "epochs": 25,
        "rate": 1e-4,
        "per": "epoch",
    }
    source = "Chubarau et al. 2024, run_pretrain_model.py of HDR-IQA-dom-adapt abbf42b"
    fits = changes.pop("fits", ())
    return Recipe(name, net, {**settings, **changes}, source, {"paper": PAPER_PRETRAINING}, fits)


def adapted(name: str, configuration: str, fits: tuple[str, ...] = (), **changes: Any) -> Recipe:
    """Recipe that adapts VTAMIQ from KADID-10k on SDR displays to another domain."""
    settings = {
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_display": "sdr",
        "labels": "kadid",
        "align": "coral",
        "align_weight": 0.025,
        "loss": {"mae": 1.0},
        "batch": 8,
        "rate": 5e-5,
        "epochs": 6,
        "holdout": 0.0,
        "repeats": 4,
    }
    source = f"Chubarau et al. 2024, configuration {configuration}; train_da.py of HDR-IQA-dom-adapt abbf42b"
    return Recipe(name, "vtamiq", {**settings, **changes}, source, {"paper": PAPER}, fits)
