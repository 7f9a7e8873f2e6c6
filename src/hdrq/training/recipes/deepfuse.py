"""DeepFuse: exposures fused as MEF-SSIM wishes, without images to imitate."""

from hdrq.training.images import brackets
from hdrq.training.images.image_recipe import ImageRecipe
from hdrq.training.images.merging_recipes import fused

deepfuse = ImageRecipe(
    name="deepfuse",
    net="deepfuse",
    source="Prabhakar, Srikar & Babu 2017, doi:10.1109/ICCV.2017.505: MEF-SSIM alone teaches, 64-pixel patches, rate 1e-4",
    example=brackets.example,
    output=fused,
    encoding="srgb",
    settings={
        "options": {"final": "clip", "bias": True},
        "crop": 128,
        "shift": 0.0,
        "turn": 0.0,
        "moving": 0,
        "electrons": (0.0, 0.0),
        "loss": {"mef-ssim": 1.0},
        "batch": 4,
        "rate": 1e-4,
    },
)
