"""PieAPP fine-tuned on PU21 code of KADID-10k with deep CORAL towards simulated HDR displays."""

from hdrq.records import Recipe
from hdrq.training.adaptation_recipes import PAPER, RETRAINED_PIEAPP

pieapp_pu = Recipe(
    name="pieapp-pu",
    net="pieapp",
    source="Chubarau et al. 2024, configuration S_HS for PU-PieAPP",
    settings={
        "options": RETRAINED_PIEAPP,
        "start": "pieapp-srgb",
        "source": "kadid",
        "source_display": "sdr",
        "labels": "kadid",
        "target": "kadid",
        "target_display": "hdr",
        "target_labels": "kadid",
        "align": "coral",
        "loss": {"mae": 1.0},
        "batch": 4,
        "patches": 96,
        "test_patches": 1024,
        "rate": 5e-5,
        "epochs": 4,
    },
    variants={"paper": PAPER},
    fits=("adapt",),
)
