from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.color import mix
from hdrq.image.filters import SCHARR, gradient
from hdrq.image.resize import factor, shrink
from hdrq.scoring.features.similarity import real_power, similarity, weighted_mean
from hdrq.scoring.features.visual_saliency import visual_saliency

C_SALIENCY, C_GRADIENT, C_CHROMA = 1.27, 386.0, 130.0
ALPHA, LAMBDA = 0.40, 0.02
# Geusebroek et al., PAMI 2001, two digits as in the paper
LMN = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])


@metric(
    Card(
        title="Visual saliency-induced index",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        codes=True,
        best=1.0,
        side=4,
        planes=12,
        source="Zhang, Shen, Li, IEEE TIP 2014, doi:10.1109/TIP.2014.2346028",
    )
)
def vsi(ref: Tensor, dist: Tensor) -> Reading:
    """Saliency, gradient and chroma compared, where either image is salient.

    map  the similarity, at about 256 pixels on the smaller side

    Saliency is found at 256 x 256 by MATLAB's imresize. Where the corners are aligned instead (as in piq), values differ
    by about 1e-4: .96405 in place of .96395 for piq's pair I01.
    """
    ref_s, ref_l, ref_c = _features(ref)
    dist_s, dist_l, dist_c = _features(dist)
    edges = similarity(gradient(ref_l, SCHARR), gradient(dist_l, SCHARR), C_GRADIENT)
    chroma = similarity(ref_c, dist_c, C_CHROMA).prod(1, keepdim=True)
    alike = similarity(ref_s, dist_s, C_SALIENCY) * edges**ALPHA * real_power(chroma, LAMBDA)
    return Reading(weighted_mean(alike, torch.maximum(ref_s, dist_s)), alike)


def _features(code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Saliency, L, and MN, shrunk."""
    f = factor(*code.shape[-2:])
    light, chroma = mix(shrink(code.expand(-1, 3, -1, -1), f), LMN).split((1, 2), 1)
    return visual_saliency(code, f), light, chroma
