from __future__ import annotations

import contextlib
import io
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import MissingPart

DARKEST = 0.005  # cd/m², below which the package does not tell light from dark


@metric(
    Card(
        title="ColorVideoVDP, by the cvvdp package (0.5.7)",
        unit="JOD",
        better="higher",
        span=(None, 10.0),
        best=10.0,
        reads="nits",
        needs=("ppd",),
        side=16,
        planes=150,
        source="Mantiuk, Hanji, Ashraf, Asano & Chapiro 2024, doi:10.1145/3658144; pip install 'hdrq[cvvdp]'",
    )
)
def cvvdp(ref: Tensor, dist: Tensor, *, ppd: float = 45.0) -> Reading:
    """Quality in just-objectionable differences under chromatic, spatial and luminance vision; 10 is identical.

    map  the package's difference map, (N, 1, H, W), JOD lost there; not differentiable

    Light passes the package as it is: the display has been seen to before, here the package's is linear and
    brighter than the light. Its own screens clip at their peak. Computed in float32.
    """
    package = _package()
    pairs = list(zip(ref.float().split(1), dist.float().split(1)))
    peak = max(1.0, *(float(x.detach().amax()) for x in (ref, dist)))
    light = package.vvdp_display_photo_eotf(
        Y_peak=peak, contrast=peak / DARKEST, source_colorspace="BT.709-linear", E_ambient=0
    )
    seat = package.vvdp_display_geometry((ref.shape[-1], ref.shape[-2]), ppd=ppd)
    judge = package.cvvdp(
        display_photometry=light, display_geometry=seat, heatmap="raw", quiet=True, device=ref.device
    )
    answers = [judge.predict(b, a, dim_order="BCHW") for a, b in pairs]
    value = torch.stack([jod.reshape(()) for jod, _ in answers])
    maps = torch.cat([stats["heatmap"][:, :, 0] for _, stats in answers])
    return Reading(value.to(ref.dtype), maps.to(ref.device, ref.dtype))


def _package() -> Any:
    """pycvvdp, imported without the lines it prints."""
    found: ModuleType | None = sys.modules.get("pycvvdp")
    if found is not None:
        return found
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import pycvvdp
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision made for another torch
        raise MissingPart(f'cvvdp needs its package ({error}); pip install "hdrq[cvvdp]"') from error
    return pycvvdp
