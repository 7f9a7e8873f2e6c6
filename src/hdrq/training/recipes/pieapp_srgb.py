"""PieAPP re-trained on sRGB code of KADID-10k from VGG16, as a start for HDR."""

from hdrq.records import Recipe

pieapp_srgb = Recipe(
    name="pieapp-srgb",
    net="pieapp",
    source="Chubarau et al. 2024, run_pretrain_model.py of HDR-IQA-dom-adapt abbf42b",
    settings={
        "options": {"order": "dist-ref", "gate": "sigmoid", "intake": "imagenet"},
        "start": "vgg16",
        "encoding": "srgb",
        "white": "sdr",
        "source": "kadid",
        "source_screen": "code",
        "labels": "kadid",
        "loss": {"rank": 1.0, "pearson": 1.0},
        "batch": 8,
        "patches": 96,
        "test_patches": 1024,
        "epochs": 25,
        "rate": 1e-4,
        "per": "epoch",
    },
    variants={"paper": {"epochs": 50, "loss": {"mae": 1.0, "rank": 1.0, "pearson": 1.0}}},
)
