"""KonCept512 on the official split of KonIQ-10k: two learning rates; the second starts from the best weights so far."""

from hdrq.records import Recipe

koncept512 = Recipe(
    name="koncept512",
    net="koncept512",
    source="Hosu et al., IEEE TIP 2020, as in subpic/koniq 1c27157; variant notebook: its older notebook",
    fits=("plain",),
    settings={
        "encoding": "srgb",
        "white": "sdr",
        "source": "koniq",
        "source_subset": "training",
        "held_subset": "validation",
        "source_display": "code",
        "labels": "percent",
        "input": "resized",
        "crop": 384,
        "aspect": 4 / 3,
        "batch": 16,
        "loss": {"mse": 1.0},
        "optimiser": "adam",
        "decay": 0.0,
        "clip": 0.0,
        "schedule": "constant",
        "epochs": 60,
        "stages": ((40, 1e-4), (20, 2e-5)),
        "best_by": "mse",
    },
    variants={"notebook": {"batch": 32, "epochs": 70, "stages": ((40, 1e-4), (20, 2e-5), (10, 1e-5))}},
)
