"""IMQNet trained directly on the official split of KonIQ-10k; `start` takes the weights of a transfer from a teacher.

The paper gives 100,000 steps of 10 images and a rate of 1e-4 that is halved every 20,000 steps: 142 epochs of 7058
images, halved every 28. Its optimiser is not given; Adam was chosen here.
"""

from hdrq.records import Recipe

imqnet = Recipe(
    name="imqnet",
    net="imqnet",
    source="Ponomarenko et al. 2022; optimiser chosen here",
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
        "crop": 768,
        "aspect": 4 / 3,
        "batch": 10,
        "loss": {"mse": 1.0},
        "optimiser": "adam",
        "rate": 1e-4,
        "decay": 0.0,
        "clip": 0.0,
        "schedule": "staircase",
        "fall": 0.5,
        "every": 28,
        "epochs": 142,
        "best_by": "mse",
    },
)
