"""MetaIQA's meta-training: initial weights that can be fine-tuned to any distortion in a few steps."""

from hdrq.records import Recipe

_PAPER = {"outer": "tasks", "tasks": 5, "inner": 6, "rate": 1e-2}

metaiqa_meta = Recipe(
    name="metaiqa-meta",
    net="metaiqa",
    source="Zhu et al., CVPR 2020; variant program: zhuhancheng/MetaIQA 30eeeb1",
    fits=("distortions",),
    settings={
        "start": "resnet18",
        "encoding": "srgb",
        "white": "sdr",
        "source": "tid2013+kadid",
        "source_display": "code",
        "labels": "span",
        "input": "resized",
        "crop": 224,
        "margin": 32,
        "batch": 75,
        "loss": {"mse": 1.0},
        "optimiser": "adam",
        "beta2": 0.99,
        "rate": 1e-4,
        "decay": 1e-5,
        "clip": 0.0,
        "schedule": "staircase",
        "fall": 0.8,
        "every": 5,
        "epochs": 100,
        "meta": _PAPER,
    },
    variants={
        "program": {
            "beta2": 0.999,
            "head_rate": 1e-2,
            "decay": 0.0,
            "schedule": "compounding",
            "fall": 0.9,
            "every": 2,
            "epochs": 50,
            "meta": {"outer": "batches", "tasks": 5, "query": 50},
        },
    },
)
