"""Settings shared by the recipes of the HDR domain-adaptation paper.

Source: Chubarau et al. 2024, doi:10.48550/arXiv.2405.00670; settings of train_da.py, HDR-IQA-dom-adapt abbf42b
"""

from __future__ import annotations

from typing import Any

from hdrq.records import Recipe

# Settings in which the paper differs from its program. Its 60-20-20 split by reference is `--protocol folds`.
_PAPER = {"align": "deep-coral", "per": "epoch", "source_display": "sdr-200"}
_PAPER_PRETRAINING = {"epochs": 50, "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0}}
_RETRAINED_PIEAPP = {"order": "dist-ref", "gate": "sigmoid", "intake": "imagenet"}
_NETS: dict[str, dict[str, Any]] = {
    "vtamiq": {"options": {"scales": 1}, "repeats": 4},
    "pieapp": {"options": _RETRAINED_PIEAPP, "patches": 96, "test_patches": 1024},
}
_NETS_OF_PAPER: dict[str, dict[str, Any]] = {
    "vtamiq": {"options": {"scales": 5}, "patches": 512, "test_patches": 2048},
    "pieapp": {"patches": 128},
}
# images per step; with a target half of them are of each domain
_BATCH = {"vtamiq": 16, "pieapp": 8}


def pretrained(name: str, net: str, **changes: Any) -> Recipe:
    """Recipe of a network trained on sRGB code of KADID-10k from ImageNet weights, as initial weights for HDR."""
    settings = {
        **_NETS[net],
        "encoding": "srgb",
        "white": "sdr",
        "source": "kadid",
        "source_display": "code",
        "labels": "kadid",
        "loss": {"rank": 1.0, "pearson": 1.0},
        "batch": _BATCH[net],
        "epochs": 25,
        "rate": 1e-4,
        "per": "epoch",
    }
    source = "Chubarau et al. 2024, run_pretrain_model.py of HDR-IQA-dom-adapt abbf42b"
    fits = changes.pop("fits", ())
    paper = {**_NETS_OF_PAPER[net], **_PAPER_PRETRAINING}
    return Recipe(name, net, {**settings, **changes}, source, {"paper": paper}, fits)


def on_light(name: str, net: str, fits: tuple[str, ...] = ()) -> Recipe:
    """Recipe that fine-tunes a network on PU21 code of KADID-10k on SDR displays, without domain adaptation."""
    settings = {
        **_NETS[net],
        "start": f"{net}-srgb",
        "source": "kadid",
        "source_display": "sdr",
        "labels": "kadid",
        "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0},
        "batch": _BATCH[net],
        "epochs": 25,
        "rate": 5e-5,
    }
    paper = {**_NETS_OF_PAPER[net], "epochs": 50, "per": "epoch", "source_display": "sdr-200"}
    return Recipe(name, net, settings, "Chubarau et al. 2024, KADID PU baseline", {"paper": paper}, fits)


def adapted(
    name: str,
    configuration: str,
    fits: tuple[str, ...] = (),
    net: str = "vtamiq",
    paper: dict[str, Any] | None = None,
    **changes: Any,
) -> Recipe:
    """Recipe that adapts a network from KADID-10k on SDR displays to another domain.

    paper  further settings in which the paper differs from its program
    """
    settings = {
        **_NETS[net],
        "start": f"{net}-srgb",
        "source": "kadid",
        "source_display": "sdr",
        "labels": "kadid",
        "align": "coral",
        "align_weight": 0.025,
        "loss": {"mae": 1.0},
        "batch": _BATCH[net] // 2,
        "rate": 5e-5,
        "epochs": 6,
        "holdout": 0.0,
    }
    source = f"Chubarau et al. 2024, configuration {configuration}; train_da.py of HDR-IQA-dom-adapt abbf42b"
    variant = {**_PAPER, **_NETS_OF_PAPER[net], **(paper or {})}
    return Recipe(name, net, {**settings, **changes}, source, {"paper": variant}, fits)


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "S_HU_SIHDR": {"target": "sihdr", "target_display": "hdr-linear"},
    "S_HU_KADID": {"target": "kadid", "target_display": "hdr"},
    "S_HU_UPIQS": {
        "target": "upiq",
        "target_subset": "sdr-luminance",
        "target_display": "nits",
        # simulated as HDR, as the text says
        "paper": {"target_subset": "sdr", "target_display": "hdr"},
    },
    "S_HS": {"target": "kadid", "target_display": "hdr", "target_labels": "kadid", "epochs": 4},
    "S_HL": {
        "source_display": "sdr-constant",
        "target": "upiq",
        "target_subset": "hdr",
        "target_display": "nits",
        "target_labels": "jod",
        "target_repeat": 8,
        "held_from": "target",
        "epochs": 15,
        "paper": {"source_display": "sdr-constant"},
    },
}


def configured(name: str, net: str, configuration: str, fits: tuple[str, ...] = ()) -> Recipe:
    """The recipe of one of the paper's configurations for a network."""
    return adapted(name, configuration, fits, net, **CONFIGURATIONS[configuration])
