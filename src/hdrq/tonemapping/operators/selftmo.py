"""SelfTMO, Wang 2022: a network that is optimised on the image itself by feature contrast masking."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import luminance, ratio
from hdrq.nn.weights import load
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers.self_supervised import Search, self_supervised


@operator(
    OperatorCard(
        title="Self-supervised tone mapping by feature contrast masking",
        source="Wang, Chen, Seidel, Myszkowski & Serrano 2022, doi:10.1111/cgf.14459; layout and constants as "
        "Hans1984/SelfTMO 773521f, whose features are VGG19's",
        gives="code",
        differentiable=False,
        robust=False,
        temporal=False,
        limits={
            "iterations": (0, 10_000),
            "rate": (1e-6, 0.1),
            "size": (16, 4096),
            "width": (1, 32),
            "gamma": (0.1, 1),
            "beta": (0, 2),
            "stages": (1, 5),
            "seed": (0, 2**31 - 1),
        },
    )
)
def selftmo(
    light: Tensor,
    *,
    iterations: int = 60,
    rate: float = 4e-3,
    size: int = 128,
    width: int = 4,
    gamma: float = 0.5,
    beta: float = 1.0,
    stages: int = 3,
    saturation: float = 0.6,
    seed: int = 0,
) -> Tensor:
    """C_d = (C / L)^saturation L_n, L_n the luma of a small network's image of three exposures of the scene.

    The network is optimised on the image itself by Adam: contrasts of VGG16's features of its image are to be those of
    the scene in mu-law code to the power `gamma`, both masked by the variation around them. It takes about 12 s of one
    processor core with the defaults, whatever the size, and 3 s for every megapixel. The same seed gives the same image;
    rounding, as of another processor or another unit of light, changes it by about two 8-bit codes. Settings of the
    program, which take an hour: iterations=400,rate=0.0002,size=768,width=16.

    iterations  of Adam; rate  its learning rate, which falls tenfold until the last one
    size        longer side of the reduced image on which the network is optimised, pixels
    width       channels of the first convolution; the middle ones have twelve times as many
    gamma       exponent of the scene's contrasts; beta  of the variation around them
    stages      of VGG16, whose first layers are compared
    seed        of the initial weights
    """
    search = Search(iterations, rate, size, width, gamma, beta, stages, seed)
    colour = light if light.shape[1] == 3 else light.expand(-1, 3, -1, -1)
    with torch.inference_mode(False):
        vgg = load("vgg16")
    code = torch.cat([self_supervised(image[None], search, vgg) for image in colour])
    shown = ratio(light, luminance(light)).clamp(min=0) ** saturation * luminance(code)
    return shown.to(light.dtype)
