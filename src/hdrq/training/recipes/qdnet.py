"""QD-net on tone-mapped images: scores, divergence of the quality code from its prior, and reconstruction.

The paper gives neither the loss weights nor the length of training: `terms`, `epochs` and the label range are our choice.
"""

from hdrq.records import Recipe

qdnet = Recipe(
    name="qdnet",
    net="qdnet",
    source="Wang et al. 2021; loss weights, epochs and label range chosen here",
    fits=("plain",),
    settings={
        "start": "resnet50",
        "encoding": "srgb",
        "white": "sdr",
        "source": "espl-live-hdr",
        "source_display": "code",
        "labels": "unit",
        "input": "crops",
        "crop": 302,
        "batch": 16,
        "loss": {"mse": 1.0},
        "terms": {"kl": 1e-3, "same": 1.0, "moved": 1.0},
        "optimiser": "sgd",
        "rate": 1e-2,
        "decay": 0.0,
        "schedule": "staircase",
        "fall": 0.8,
        "every": 7,
        "epochs": 70,
    },
)
