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
    from hdrq.cluster.api import connect as connect
    from hdrq.cluster.api import join_tables as join_tables
    from hdrq.distillation.api import distill as distill
    from hdrq.distillation.api import distillation_set as distillation_set
    from hdrq.encoding.convert import convert_files as convert_files
    from hdrq.encoding.displays import display as display
    from hdrq.encoding.file_info import describe as describe
    from hdrq.encoding.photometry import Photometry as Photometry
    from hdrq.encoding.photometry import Side as Side
    from hdrq.encoding.photometry import decode as decode
    from hdrq.encoding.photometry import emit as emit
    from hdrq.encoding.photometry import encode as encode
    from hdrq.errors import HdrqError as HdrqError
    from hdrq.evaluation.api import correlate as correlate
    from hdrq.evaluation.api import evaluate as evaluate
    from hdrq.evaluation.api import evaluate_datasets as evaluate_datasets
    from hdrq.evaluation.api import preferences as preferences
    from hdrq.image.render import demo_scene as demo_scene
    from hdrq.io import read as read
    from hdrq.io import write as write
    from hdrq.merging.api import merge as merge
    from hdrq.merging.api import merge_brackets as merge_brackets
    from hdrq.merging.api import merge_sequence as merge_sequence
    from hdrq.nn.api import Model as Model
    from hdrq.nn.api import fetch_model as fetch_model
    from hdrq.nn.api import import_checkpoint as import_checkpoint
    from hdrq.nn.api import model as model
    from hdrq.nn.api import models as models
    from hdrq.nn.api import verify_models as verify_models
    from hdrq.records import Display as Display
    from hdrq.records import Image as Image
    from hdrq.records import Pair as Pair
    from hdrq.records import Score as Score
    from hdrq.records import Viewing as Viewing
    from hdrq.registry import dataset as dataset
    from hdrq.registry import names as names
    from hdrq.scoring.module import metric as metric
    from hdrq.scoring.run import score as score
    from hdrq.tonemapping.api import enhance_files as enhance_files
    from hdrq.tonemapping.api import expand as expand
    from hdrq.tonemapping.api import expand_files as expand_files
    from hdrq.tonemapping.api import tonemap as tonemap
    from hdrq.tonemapping.api import tonemap_files as tonemap_files
    from hdrq.training.api import train as train

try:
    __version__ = version("hdrq")
# running from a bare checkout
except PackageNotFoundError:
    __version__ = "0+unknown"

# public name: the module that has it
_HOMES = {
    "Card": "hdrq.cards",
    "Display": "hdrq.records",
    "HdrqError": "hdrq.errors",
    "Image": "hdrq.records",
    "Model": "hdrq.nn.api",
    "Output": "hdrq.cards",
    "Pair": "hdrq.records",
    "Photometry": "hdrq.encoding.photometry",
    "Reading": "hdrq.cards",
    "Score": "hdrq.records",
    "Side": "hdrq.encoding.photometry",
    "Viewing": "hdrq.records",
    "connect": "hdrq.cluster.api",
    "convert_files": "hdrq.encoding.convert",
    "correlate": "hdrq.evaluation.api",
    "dataset": "hdrq.registry",
    "decode": "hdrq.encoding.photometry",
    "demo_scene": "hdrq.image.render",
    "describe": "hdrq.encoding.file_info",
    "display": "hdrq.encoding.displays",
    "distill": "hdrq.distillation.api",
    "distillation_set": "hdrq.distillation.api",
    "emit": "hdrq.encoding.photometry",
    "encode": "hdrq.encoding.photometry",
    "enhance_files": "hdrq.tonemapping.api",
    "evaluate": "hdrq.evaluation.api",
    "evaluate_datasets": "hdrq.evaluation.api",
    "expand": "hdrq.tonemapping.api",
    "expand_files": "hdrq.tonemapping.api",
    "fetch_model": "hdrq.nn.api",
    "import_checkpoint": "hdrq.nn.api",
    "join_tables": "hdrq.cluster.api",
    "merge": "hdrq.merging.api",
    "merge_brackets": "hdrq.merging.api",
    "merge_sequence": "hdrq.merging.api",
    "metric": "hdrq.scoring.module",
    "model": "hdrq.nn.api",
    "models": "hdrq.nn.api",
    "names": "hdrq.registry",
    "preferences": "hdrq.evaluation.api",
    "read": "hdrq.io",
    "score": "hdrq.scoring.run",
    "tonemap": "hdrq.tonemapping.api",
    "tonemap_files": "hdrq.tonemapping.api",
    "train": "hdrq.training.api",
    "verify_models": "hdrq.nn.api",
    "write": "hdrq.io",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"hdrq has no '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
