"""Weights computed from their official names and shapes, so that a fixture of a huge network holds none.

The rule is that of ../shared/parity: normal numbers seeded by the name's crc32 (numpy's frozen legacy
generator), scaled by what kind of tensor the name and shape say it is.
"""

from __future__ import annotations

import json
import zlib
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_TABLES = ("token", "tokens", "embeddings", "embedding", "_emb", "pos_embed", "cls", "ctx", "bias_table")


def value(name: str, shape: tuple[int, ...], gain: float = 1.0) -> Tensor:
    """The tensor of that name and shape, float32."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape)
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(prod(shape)).reshape(shape)
    he = z * np.sqrt(gain * 2.0 / prod(shape[1:]))
    wide = sum(n > 1 for n in shape) >= 2 and len(shape) in (2, 3, 4)
    if name.endswith("running_var"):
        z = 0.5 + np.abs(z)
    elif name.endswith("running_mean"):
        z = 0.1 * z
    elif name.endswith(_TABLES):
        z = 0.2 * z
    elif wide or (name.endswith(("weight", "gamma")) and len(shape) >= 2):
        z = he
    elif name.endswith(("weight", "gamma")):
        z = (1.0 if prod(shape) > 1 else 0.5) + 0.1 * z
    else:
        z = 0.05 * z
    return torch.from_numpy(np.ascontiguousarray(z)).float()


def shapes(keys: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a state_dict, from a JSON of parity/."""
    return {name: tuple(shape) for name, shape in json.loads(keys.read_text()).items()}


def state(keys: Path, gain: float = 1.0) -> dict[str, Tensor]:
    """A whole state_dict."""
    return {name: value(name, shape, gain) for name, shape in shapes(keys).items()}
