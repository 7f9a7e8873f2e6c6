"""Entries of nn/nets: how a network is built, trained and loaded from the files of other programs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hdrq.errors import FileError, UsageError
from hdrq.nn.image_networks import Use
from hdrq.nn.keys import Rule, State, convert, restore, some
from hdrq.nn.layers.transformer import resize_places
from hdrq.nn.network_input import network_view
from hdrq.records import Encoding


@dataclass(frozen=True)
class Layout:
    """The names that one program gives to the tensors of a network.

    marks     keys by which the layout is recognised
    table     rules from their names to ours; a function of the build options where these change a shape
    options   build options, from the shapes of the tensors; None for those that shapes do not determine
    fixed     build options common to all files of this layout
    encoding  code of the training data; "" where the file does not state it
    white     the value that the network maps to 1.0, see hdrq.nn.weights
    makes     the network that this layout belongs to, where it is not the requested one
    nested    whether the file is a nested dict; None where it does not matter
    """

    name: str
    marks: tuple[str, ...]
    table: tuple[Rule, ...] | Callable[[Mapping[str, Any]], tuple[Rule, ...]]
    options: Callable[[Mapping[str, Tensor]], dict[str, Any]] = lambda state: {}
    fixed: Mapping[str, Any] = field(default_factory=dict)
    encoding: str = ""
    white: str = "sdr"
    makes: str = ""
    nested: bool | None = None

    def fits(self, state: Mapping[str, Tensor], nested: bool | None = None) -> bool:
        """Whether a state_dict has the tensors by which the layout is recognised."""
        kind = self.nested is None or nested is None or self.nested == nested
        return kind and all(mark in state for mark in self.marks)

    def read(self, state: Mapping[str, Tensor], options: Mapping[str, Any]) -> State:
        """Their tensors under our names."""
        return convert(self._rules(options), state)

    def write(self, state: Mapping[str, Tensor], options: Mapping[str, Any]) -> State:
        """Our tensors under their names."""
        return restore(self._rules(options), state)

    def _rules(self, options: Mapping[str, Any]) -> tuple[Rule, ...]:
        return self.table if isinstance(self.table, tuple) else self.table(options)


@dataclass(frozen=True)
class Net:
    """An entry of nn/nets.

    build     build(**options) -> module; options are plain JSON values, all with defaults
    layouts   the layouts of other programs
    witness   one output for a fixed synthetic input; the card of weights stores its value as a check
    grows     functions that initialise it from another network's tensors: {"vgg16": from_vgg16}
    view      (code (N, C, H, W), module, encoding) -> network input; the same in training and scoring
    patch     side of the square patches that it reads, pixels; 0 where it reads images
    side      smallest image side for training
    head      first parts of the names of parameters that use `head_rate`
    features  number of features that domain adaptation compares, from the build options
    small     build options of a small version for smoke tests
    training  default training settings, used where no recipe is named
    unknown   a line about files that resemble this network's but cannot be used, or ""
    use       what it makes of images besides a score
    source    of the architecture
    """

    name: str
    build: Callable[..., nn.Module]
    layouts: tuple[Layout, ...]
    witness: Callable[[nn.Module], Tensor]
    grows: Mapping[str, Callable[[State], State]] = field(default_factory=dict)
    view: Callable[[Tensor, Any, Encoding | None], Tensor] = network_view
    patch: int = 0
    side: int = 64
    head: tuple[str, ...] = ("head",)
    features: Callable[[Mapping[str, Any]], int] = lambda options: 0
    small: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    unknown: Callable[[Mapping[str, Tensor]], str] = lambda state: ""
    use: Use | None = None
    source: str = ""

    def option(self, name: str, options: Mapping[str, Any], absent: Any = None) -> Any:
        """A build option as given, or its default; `absent` where the network has no such option."""
        taken = inspect.signature(self.build).parameters
        return options.get(name, taken[name].default if name in taken else absent)

    def patch_side(self, options: Mapping[str, Any]) -> int:
        """Side of the patches that the network reads with these build options."""
        return int(self.option("patch", options, self.patch))

    def recognise(self, state: Mapping[str, Tensor], nested: bool | None = None) -> Layout:
        """The layout of another program's state_dict; FileError names the supported layouts."""
        if reason := self.unknown(state):
            raise FileError(reason)
        for layout in self.layouts:
            if layout.fits(state, nested):
                return layout
        if not self.layouts:
            raise UsageError(
                f"{self.name} has no published weights and imports no files; see how it is trained: hdrq list recipes"
            )
        known = ", ".join(layout.name for layout in self.layouts)
        raise FileError(
            f"unrecognised {self.name} checkpoint (it contains {some(state, 2)}); supported layouts: {known}"
        )

    def built(self, options: Mapping[str, Any]) -> nn.Module:
        """The module with random weights; UsageError names an option that it has not, or says why it cannot be built."""
        taken = inspect.signature(self.build).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        if (unknown := sorted(set(options) - set(taken))) and not open_ended:
            raise UsageError(f"{self.name} has no option '{unknown[0]}'; it has {', '.join(taken) or 'none'}")
        try:
            return self.build(**options)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(
                f"{self.name} cannot be built with options {dict(options)}: {' '.join(str(error).split())}"
            ) from error

    def filled(self, state: Mapping[str, Tensor], **options: Any) -> nn.Module:
        """The module with these tensors (our names), in eval mode, float32; every key and shape is checked."""
        with torch.device("meta"), SkipInitialisation():
            module = self.build(**options)
        wanted = module.state_dict()
        if missing := [k for k in wanted if k not in state]:
            raise FileError(f"{len(missing)} tensors of {self.name} are missing: {some(missing)}")
        if extra := [k for k in state if k not in wanted]:
            raise FileError(f"{len(extra)} tensors are not part of {self.name}: {some(extra)}")
        for key, tensor in wanted.items():
            if tuple(state[key].shape) != tuple(tensor.shape):
                shapes = f"{tuple(state[key].shape)} where {self.name} expects {tuple(tensor.shape)}"
                raise FileError(f"'{key}' has shape {shapes}")
        ready = {
            k: t.to(wanted[k].dtype if t.is_floating_point() else t.dtype).contiguous()
            for k, t in state.items()
        }
        module.load_state_dict(ready, strict=True, assign=True)
        return module.eval().requires_grad_(False)

    def grow(self, module: nn.Module, source: str, state: State) -> tuple[str, ...]:
        """Initialise from another network's tensors (our names); returns the names that keep their initial values.

        Blocks that `module` does not have are skipped; a position table is interpolated to its grid.
        """
        if source not in self.grows:
            known = ", ".join(self.grows) or "nothing"
            raise UsageError(f"{self.name} cannot be initialised from {source}, only from {known}")
        mine, taken = module.state_dict(), {}
        for name, tensor in self.grows[source](state).items():
            if name in mine:
                grid = round((mine[name].shape[1] - 1) ** 0.5) if name.endswith("places") else 0
                taken[name] = resize_places(tensor, grid) if grid else tensor
                if taken[name].shape != mine[name].shape:
                    shapes = f"{tuple(tensor.shape)} there, {tuple(mine[name].shape)} here"
                    raise UsageError(
                        f"{self.name} cannot be initialised from this {source}: '{name}' has shape {shapes}"
                    )
        module.load_state_dict(taken, strict=False)
        return tuple(name for name in mine if name not in taken)


class SkipInitialisation(TorchFunctionMode):
    """Skip random initialisation, which a file replaces: on meta tensors it would import torch's compiler."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "trunc_normal_", "fill_", "zero_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def classes_by(key: str) -> Callable[[Mapping[str, Tensor]], dict[str, Any]]:
    """Build options of a classifier that may be left out: the number of its classes, from its tensor `key`."""
    return lambda state: {"classes": state[key].shape[0] if key in state else 0}


def pattern(*shape: int) -> Tensor:
    """A synthetic input in [0, 1], identical on every machine: multiples of the golden ratio, modulo 1."""
    i = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.float64)
    return ((i * 0.6180339887498949) % 1.0).float().reshape(shape)


def mix(output: Tensor) -> Tensor:
    """One number that depends on every value of an output and on its position."""
    return (output.flatten() * (pattern(output.numel()) - 0.5).to(output)).sum()
