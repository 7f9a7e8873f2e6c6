"""Where tensors are computed: the device that a name means, checked once and in words."""

from __future__ import annotations

import torch

from hdrq.errors import UsageError


def device_of(name: str | torch.device) -> torch.device:
    """The device meant by "auto", "cpu", "cuda" or "cuda:1".

    raises  UsageError for a name that is none, and for a device that this machine does not have
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"unknown device '{name}'; use auto, cpu, cuda or cuda:0") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here; use the device cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"there is no {name}; this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"'{name}' is not supported; use auto, cpu, cuda or cuda:0")
    return device
