"""MetaIQA fine-tuned on photographs with authentic distortions, from its meta-trained weights."""

from hdrq.records import Recipe

metaiqa_finetune = Recipe(
    name="metaiqa-finetune",
    net="metaiqa",
    source="Zhu et al., CVPR 2020; variant program: zhuhancheng/MetaIQA 30eeeb1",
    fits=("photographs",),
    settings={
        "start": "metaiqa-meta",
        "encoding": "srgb",
        "white": "sdr",
        "source": "livec",
        "source_display": "code",
        "labels": "span",
        "input": "resized",
        "crop": 224,
        "margin": 32,
        "batch": 50,
        "loss": {"mse": 1.0},
        "optimiser": "adam",
        "beta2": 0.99,
        "rate": 1e-5,
        "decay": 1e-5,
        "clip": 0.0,
        "schedule": "staircase",
        "fall": 0.8,
        "every": 5,
        "epochs": 100,
    },
    variants={
        "program": {
            "beta2": 0.999,
            "rate": 1e-4,
            "decay": 0.0,
            "schedule": "compounding",
            "fall": 0.8,
            "every": 10,
        },
    },
)
