"""hdrq: the quality lab for high-dynamic-range images.

    import hdrq
    ref, dist = hdrq.read("ref.exr"), hdrq.read("dist.exr")
    hdrq.metric("pu21:ssim")(ref, dist)      # a tensor (N,), with a gradient where the inputs ask for one
    for row in hdrq.score([("ref.exr", "dist.exr")], ["pu-psnr", "pu-ssim"]):
        print(row.metric, row.value)

Everything heavy is imported when first used, so that `import hdrq` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("hdrq")
except PackageNotFoundError:  # running from a bare checkout
    __version__ = "0+unknown"

_HOMES = {
    "read": "hdrq.io",
    "write": "hdrq.io",
    "score": "hdrq.scoring.batch",
    "metric": "hdrq.scoring.scorer",
    "train": "hdrq.training.train",
    "distill": "hdrq.distillation.distill",
    "emit": "hdrq.encoding.photometry",
    "encode": "hdrq.encoding.photometry",
    "decode": "hdrq.encoding.photometry",
    "Image": "hdrq.records",
    "Display": "hdrq.records",
    "Viewing": "hdrq.records",
    "HdrqError": "hdrq.errors",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"hdrq has no '{name}'")
