"""Archives of numpy arrays (.npz), also those that hold lists of arrays as pickles, without executing code from them."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

# What a pickle of arrays needs; (_codecs, encode) is how Python 3 writes bytes for older readers.
_ALLOWED = {
    *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *((module, "_frombuffer") for module in ("numpy.core.numeric", "numpy._core.numeric")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Arrays by name; those of a list under NAME.0, NAME.1 ..."""
    found: dict[str, Tensor] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            held = _array(archive, member)
            if held.dtype.hasobject:
                for i, part in enumerate(held.ravel()):
                    found[f"{name}.{i}"] = torch.from_numpy(np.array(part, dtype=np.float32))
            else:
                found[name] = torch.from_numpy(held)
    return found


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, kind = read(file)
        if kind.hasobject:
            held: Any = _Arrays(file, encoding="latin1").load()
            return np.asarray(held, dtype=object)
        values = np.frombuffer(bytearray(file.read()), dtype=kind)
        return values.reshape(shape[::-1]).T.copy() if fortran else values.reshape(shape)


class _Arrays(pickle.Unpickler):
    """Reads arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"Unsupported global: GLOBAL {module}.{name} is not allowed")
        return super().find_class(module, name)
