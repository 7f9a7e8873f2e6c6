"""QD-net on tone-mapped images: scores, a code near the prior, and images reconstructed at another quality.

The paper gives neither the weights of the terms nor the length: `terms`, `epochs` and the range of the labels are ours.
"""

from hdrq.records import Recipe

qdnet = Recipe(
    name="qdnet",
    net="qdnet",
    source="Wang et al. 2021; weights of the terms, epochs and the labels' range are ours",
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
