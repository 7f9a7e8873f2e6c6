"""Read weight files of other programs without executing code from them.

Pickles are read by torch's restricted unpickler (weights_only), which refuses anything except tensors, numbers and names.
Archives of arrays (.npz), also those that hold lists of arrays as pickles, are read by an unpickler of arrays alone,
checkpoints of TensorFlow by hdrq.nn.tensorflow_checkpoint, tables of camera responses (.txt) as text.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from hdrq.errors import FileError
from hdrq.nn.keys import State
from hdrq.nn.tensorflow_checkpoint import is_checkpoint, read_checkpoint

# What a pickle of arrays needs; (_codecs, encode) is how Python 3 writes bytes for older readers.
_ALLOWED = {
    *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *((module, "_frombuffer") for module in ("numpy.core.numeric", "numpy._core.numeric")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
# Keys under which training programs store a state_dict.
_WRAPPERS = ("model_state_dict", "state_dict", "model", "params", "net", "params_ema", "modelG_state_dict")
# Prefixes added by parallel training and compilation.
_PREFIXES = ("module.", "_orig_mod.")


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


def read(path: str | Path) -> tuple[State, bool]:
    """(tensors by name, whether the file was a nested dict). Raises FileError in one line."""
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path} is a folder; give a file" if path.is_dir() else f"{path} does not exist")
    try:
        held = _held(path)
    except FileError:
        raise
    except Exception as error:
        raise FileError(f"{path}: {_reason(error)}") from error
    state, nested = _flat(_unwrapped(held))
    if not state:
        raise FileError(f"{path} contains no named tensors; give a checkpoint")
    return state, nested


def _held(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(8)
    if len(head) < 8:
        raise FileError(f"{path} is empty or truncated")
    if path.suffix == ".npz":
        return read_arrays(path)
    if is_checkpoint(path):
        return read_checkpoint(path)
    if path.suffix == ".txt":
        return _columns(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    # numpy numbers are stored with the tensors in many checkpoints; they are data, not code
    with torch.serialization.safe_globals(_numbers()), warnings.catch_warnings():
        # of pickle's protocol, before a refusal
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _columns(path: Path) -> dict[str, Tensor]:
    """Columns of numbers below lines such as `g0 =` or `hinv(3)=`, the form of Columbia's response databases."""
    found: dict[str, list[float]] = {}
    name = ""
    for line in path.read_text(encoding="ascii").splitlines():
        if "=" in line:
            name = line.partition("=")[0].strip()
        elif name:
            found.setdefault(name, []).extend(float(word) for word in line.split())
    return {key: torch.tensor(values) for key, values in found.items() if values}


def _numbers() -> list[Any]:
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, *kinds]


def _unwrapped(held: Any) -> Any:
    while isinstance(held, Mapping):
        inside = next((held[k] for k in _WRAPPERS if isinstance(held.get(k), Mapping)), None)
        if inside is None:
            return held
        held = inside
    return held


def _flat(held: Any, before: str = "") -> tuple[State, bool]:
    """Tensors of nested dicts under dotted names; other values (epochs, scores) are ignored."""
    state: State = {}
    nested = False
    for name, value in held.items() if isinstance(held, Mapping) else ():
        if isinstance(value, Tensor):
            state[before + str(name)] = value.detach()
        elif isinstance(value, Mapping):
            inner, _ = _flat(value, f"{before}{name}.")
            nested = nested or bool(inner)
            state |= inner
    for prefix in _PREFIXES:
        if state and not before and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): t for name, t in state.items()}
    return state, nested


def _reason(error: Exception) -> str:
    """The cause in one line, without terms of pickle."""
    text = str(error)
    # bytes that are no instruction of the pickles that torch writes
    if "Unsupported operand" in text:
        return (
            "refused, because it is not a file of plain tensors; it is damaged, or a pickle of another kind"
        )
    if "Unsupported global" in text or "weights_only" in text.lower():
        function = text.partition("GLOBAL ")[2].split(" ")[0] if "GLOBAL " in text else "code"
        return f"refused, because it would execute {function}; only files of plain tensors are accepted"
    kind = type(error).__name__
    first = text.strip().splitlines()[0][:120] if text.strip() else ""
    return f"damaged, truncated or not a weights file ({kind}{': ' + first if first else ''})"
