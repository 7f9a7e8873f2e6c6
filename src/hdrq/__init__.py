"""hdrq: quality of high-dynamic-range images.

    import hdrq
    ref, dist = hdrq.read("ref.exr"), hdrq.read("dist.exr")
    hdrq.metric("pu21:ssim")(ref, dist)      # a tensor (N,), with a gradient where the inputs ask for one
    for row in hdrq.score([("ref.exr", "dist.exr")], ["pu-psnr", "pu-ssim"]):
        print(row.metric, row.value)

`dir(hdrq)` lists the API; docs/python.md shows it by example. Modules are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdrq.cards import Card as Card
    from hdrq.cards import Output as Output
    from hdrq.cards import Reading as Reading
    from hdrq.distillation.api import distill as distill
    from hdrq.encoding.convert import convert_files as convert_files
    from hdrq.encoding.file_info import describe as describe
    from hdrq.encoding.photometry import Photometry as Photometry
    from hdrq.encoding.photometry import decode as decode
    from hdrq.encoding.photometry import emit as emit
    from hdrq.encoding.photometry import encode as encode
    from hdrq.errors import HdrqError as HdrqError
    from hdrq.evaluation.api import evaluate as evaluate
    from hdrq.io import read as read
    from hdrq.io import write as write
    from hdrq.merging.merge import merge as merge
    from hdrq.nn.model_list import models as models
    from hdrq.records import Display as Display
    from hdrq.records import Image as Image
    from hdrq.records import Pair as Pair
    from hdrq.records import Score as Score
    from hdrq.records import Viewing as Viewing
    from hdrq.registry import dataset as dataset
    from hdrq.registry import names as names
    from hdrq.scoring.batch import score as score
    from hdrq.scoring.module import metric as metric
    from hdrq.tonemapping.api import enhance_files as enhance_files
    from hdrq.tonemapping.api import expand as expand
    from hdrq.tonemapping.api import expand_files as expand_files
    from hdrq.tonemapping.api import tonemap as tonemap
    from hdrq.tonemapping.api import tonemap_files as tonemap_files
    from hdrq.training.train import train as train

try:
    __version__ = version("hdrq")
except PackageNotFoundError:  # running from a bare checkout
    __version__ = "0+unknown"

_HOMES = {  # public name: module, and the name there where it differs
    "Card": "hdrq.cards",
    "Display": "hdrq.records",
    "HdrqError": "hdrq.errors",
    "Image": "hdrq.records",
    "Output": "hdrq.cards",
    "Pair": "hdrq.records",
    "Photometry": "hdrq.encoding.photometry",
    "Reading": "hdrq.cards",
    "Score": "hdrq.records",
    "Viewing": "hdrq.records",
    "convert_files": "hdrq.encoding.convert",
    "dataset": "hdrq.registry",
    "decode": "hdrq.encoding.photometry",
    "describe": "hdrq.encoding.file_info",
    "distill": "hdrq.distillation.api",
    "emit": "hdrq.encoding.photometry",
    "encode": "hdrq.encoding.photometry",
    "enhance_files": "hdrq.tonemapping.api",
    "evaluate": "hdrq.evaluation.api",
    "expand": "hdrq.tonemapping.api",
    "expand_files": "hdrq.tonemapping.api",
    "merge": "hdrq.merging.merge",
    "metric": "hdrq.scoring.module",
    "models": "hdrq.nn.model_list",
    "names": "hdrq.registry",
    "read": "hdrq.io",
    "score": "hdrq.scoring.batch",
    "tonemap": "hdrq.tonemapping.api",
    "tonemap_files": "hdrq.tonemapping.api",
    "train": "hdrq.training.train",
    "write": "hdrq.io",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"hdrq has no '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
