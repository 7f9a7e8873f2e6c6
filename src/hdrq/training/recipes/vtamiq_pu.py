"""VTAMIQ fine-tuned on PU21 code of KADID-10k shown on SDR displays, without domain adaptation."""

from hdrq.records import Recipe

vtamiq_pu = Recipe(
    name="vtamiq-pu",
    net="vtamiq",
    source="Chubarau et al. 2024, KADID PU baseline",
    settings={
        "options": {"scales": 1},
        "start": "vtamiq-srgb",
        "source": "kadid",
        "source_display": "sdr",
        "labels": "kadid",
        "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0},
        "batch": 16,
        "epochs": 25,
        "rate": 5e-5,
        "repeats": 4,
    },
    fits=("plain", "default"),
)
