"""Parameters of the operator reinhard, predicted for a scene; TMQI and MEF-SSIM teach the network."""

from hdrq.training.images.operator_recipes import operator_recipe

auto_reinhard = operator_recipe(
    "auto-reinhard",
    "reinhard",
    net="tone-parameters",
    source="trained by metrics of the scenes that are tone-mapped with its output; there are no images to imitate",
    loss={"tmqi": 1.0, "mef-ssim": 1.0},
)
