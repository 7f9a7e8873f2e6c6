"""hdrq.metric: a metric as a torch module, for arrays, files, data loaders and training loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from hdrq.arguments import checked
from hdrq.cards import Better, Card, Metric, Reading, Span
from hdrq.encoding.emission import white_of
from hdrq.encoding.photometry import LIGHT, InputSpec, Photometry, Terms, common_white
from hdrq.errors import DomainError, PixelError, UsageError
from hdrq.image.color import LUMINANCE, luma, weigh
from hdrq.image.devices import device_of
from hdrq.io import read
from hdrq.records import Display, Encoding, Image
from hdrq.registry import find
from hdrq.scoring.binding import bind
from hdrq.scoring.calibration import in_jod, line_of
from hdrq.scoring.request import Request, parse
from hdrq.scoring.scorer import Scorer

Pixels = Image | Tensor | np.ndarray | str | Path


class MetricModule(nn.Module):
    """A metric bound to its display, viewing and weights.

    `metric(ref, dist)` gives (N,), with gradients where inputs require them; no-reference metrics take one image.
    Takes Images, paths, tensors (N, C, H, W) or (C, H, W) and arrays (H, W), (H, W, C) or (N, H, W, C). Tensors and
    arrays of floats are light in cd/m², BT.709; arrays of uint8 and uint16 are sRGB code.

    `read` gives value, map, further numbers and notes. `.better`, `.unit`, `.span`, `.best` describe the value.
    """

    def __init__(self, scorer: Scorer, recipe: tuple[Any, ...], checked: bool = True) -> None:
        super().__init__()
        self.scorer = scorer
        self.checked = checked
        self._recipe = recipe
        if isinstance(scorer.net, nn.Module):
            self.net = scorer.net
        # everything that torch.compile could not trace
        if not checked:
            specs = [w for w in (scorer.ref, scorer.dist) if w is not None]
            self._ways = [(w, find("encoding", w.encoding) if w.encoding else None) for w in specs]
            self._white = common_white(scorer.photometry)
            blank = Image(torch.zeros(1, 3, 1, 1), scorer.dist.encoding or "nits")
            self._given = {**scorer.options, **scorer.supplied(blank, False, Terms())}

    def forward(self, ref: Pixels, dist: Pixels | None = None) -> Tensor:
        """The value of each pair or image, (N,)."""
        if self.checked:
            return self.read(ref, dist).value
        return self._unchecked(ref, dist)

    def read(self, ref: Pixels, dist: Pixels | None = None, maps: bool = True) -> Reading:
        """Value, map, further numbers and notes of a pair or batch."""
        return self.scorer.read(pixels_of(ref), None if dist is None else pixels_of(dist), maps=maps)

    @property
    def better(self) -> Better:
        """Direction of the value: "higher" or "lower"."""
        return self.scorer.better

    @property
    def unit(self) -> str:
        """Unit of the value, "1" where it has none."""
        return self.scorer.unit

    @property
    def span(self) -> Span:
        """Range of the value; None at an end that is open."""
        return self.scorer.span

    @property
    def best(self) -> float | None:
        """Value of identical images, where that is a constant."""
        return self.scorer.best

    def __str__(self) -> str:
        return str(self.scorer)

    def extra_repr(self) -> str:
        return f"{self.scorer}, better={self.better}, unit={self.unit}"

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            scorer = self.__dict__.get("scorer")
            if scorer is None or name.startswith("__"):
                raise
            return getattr(scorer, name)

    def __reduce__(self) -> Any:
        return _again, (self._recipe, self.scorer.device, self.scorer.dtype, self.checked)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As of any module; UsageError for a device that this machine does not have."""
        if isinstance(kwargs.get("device"), (str, torch.device)):
            kwargs["device"] = device_of(kwargs["device"])
        found: list[Any] = [device_of(a) if isinstance(a, (str, torch.device)) else a for a in args]
        return super().to(*found, **kwargs)

    def cuda(self, device: int | torch.device | None = None) -> Self:
        """As of any module; UsageError where there is no such device."""
        return self.to(torch.device("cuda", device) if isinstance(device, int) else device or "cuda")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> MetricModule:
        """Move the network, and let inputs follow to the same device and precision."""
        super()._apply(fn, recurse)
        probe = fn(torch.zeros(0, dtype=self.scorer.dtype, device=self.scorer.device))
        dtype = probe.dtype if probe.dtype != torch.float32 or self.scorer.dtype is not None else None
        self.scorer = replace(self.scorer, device=probe.device, dtype=dtype)
        return self

    def _unchecked(self, ref: Pixels, dist: Pixels | None) -> Tensor:
        """The value without looking at the data: no refusals, no notes; light of BT.709 tensors only."""
        given = [x for x in (ref, dist) if isinstance(x, Tensor)]
        if len(given) != len(self._ways):
            raise UsageError("with checked=False a metric takes tensors of light (N, C, H, W), one a side")
        pictures = [_straight(x, w, e, self._white) for x, (w, e) in zip(given, self._ways, strict=True)]
        answer = self.scorer.metric.function(*pictures, **self._given)
        value = answer.value if isinstance(answer, Reading) else answer
        line = line_of(self.scorer.net)
        return value if line is None else in_jod(line, value, self.scorer.net)


@checked
def metric(
    text: str | Request | Callable[..., Any],
    *,
    card: Card | None = None,
    stages: str = "",
    display: str | Display | None = None,
    ppd: float | None = None,
    photometry: Photometry | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    checked: bool = True,
    **options: Any,
) -> MetricModule:
    """A metric as a torch module: `hdrq.metric("pu21:ssim")(ref, dist)`, `hdrq.metric("ssim", variant="wang")`.

    text     [stage:]...metric[@weights][,option=value]..., or a function of (ref, dist), given with its `card`
    stages   of a function: "pu21" encodes the light before it
    display  name, .toml path or Display; ppd  pixels per degree; photometry  both and more, instead
    checked  False leaves out all checks and notes that depend on the data, so that torch.compile gets one graph
    options  of the metric, by name
    raises   UsageError, UnknownName, DomainError, MissingPart: everything that can be checked before a pixel is read
    """
    given = tuple(sorted((key, _text(value)) for key, value in options.items()))
    if callable(text):
        if isinstance(text, Metric):
            found = text
        elif card is None:
            raise UsageError(
                f"a function needs card=hdrq.Card(...), which describes the input and output of {text.__name__}"
            )
        else:
            found = Metric(text.__name__.replace("_", "-"), card, text)
        request = Request(tuple(filter(None, stages.split(":"))), found.name, "", given)
    else:
        if stages:
            raise UsageError(
                f"stages is for functions; write the stages of '{text}' before it, as in {stages}:{text}"
            )
        request = parse(text) if isinstance(text, str) else text
        twice = {key for key, _ in request.options} & set(options)
        if twice:
            raise UsageError(f"{min(twice)} is given twice, in '{request}' and as an argument")
        request = replace(request, options=(*request.options, *given))
        found = find("metric", request.metric)
    scorer = bind(request, found, display=display, ppd=ppd, photometry=photometry, device=device, dtype=dtype)
    own = (text, card) if callable(text) else (None, None)
    return MetricModule(scorer, (request, own, scorer.photometry), checked)


def _again(
    recipe: tuple[Any, ...], device: torch.device | None, dtype: torch.dtype | None, checked: bool
) -> MetricModule:
    """The metric of a pickle, its weights loaded where they are used."""
    request, (function, card), photometry = recipe
    if function is None:
        found = find("metric", request.metric)
    else:
        found = function if isinstance(function, Metric) else Metric(request.metric, card, function)
    scorer = bind(request, found, photometry=photometry, device=device, dtype=dtype)
    return MetricModule(scorer, recipe, checked)


def _text(value: Any) -> str:
    return "auto" if value is None else str(value)


def pixels_of(pixels: Pixels) -> Image | Tensor:
    """Whatever a caller has, as an Image or a tensor of light: arrays are (H, W), (H, W, C) or (N, H, W, C)."""
    if isinstance(pixels, Image | Tensor):
        return pixels
    if isinstance(pixels, str | Path):
        return read(pixels)
    if not isinstance(pixels, np.ndarray):
        raise UsageError(f"an image is an Image, a path, a tensor or an array, not {type(pixels).__name__}")
    array = pixels[None] if pixels.ndim == 3 else pixels
    array = array[None, :, :, None] if array.ndim == 2 else array
    if array.ndim != 4 or array.shape[-1] not in (1, 3):
        raise PixelError(
            f"an array is (H, W), (H, W, C) or (N, H, W, C) with 1 or 3 channels, not {pixels.shape}"
        )
    planes = torch.from_numpy(
        np.ascontiguousarray(array.transpose(0, 3, 1, 2).astype(array.dtype.newbyteorder("="))).copy()
    )
    if array.dtype.kind != "u":
        return planes
    bits = 8 * array.dtype.itemsize
    if bits > 16:
        raise PixelError(f"an array of integers is uint8 or uint16, not {array.dtype}")
    return Image(planes.float() / (2**bits - 1), "srgb", bits=bits)


def _straight(light: Tensor, spec: InputSpec, encoding: Encoding | None, white: float | None) -> Tensor:
    """The input of a metric from BT.709 light, without data-dependent checks."""
    if spec.tonemapper:
        raise DomainError("checked=False is for encodings, not for tone mapping operators")
    if encoding is None:
        if spec.reads not in LIGHT:
            raise DomainError(
                "the metric compares code and was given light; name an encoding, as in pu21:ssim"
            )
        return weigh(light, LUMINANCE) if spec.grey or spec.channel == "y" else light
    if spec.channel == "y" or (spec.grey and encoding.grey == "luminance" and spec.channel != "luma"):
        light = weigh(light, LUMINANCE)
    code = encoding.encode(light, white_of(encoding, None, white))
    if code.shape[1] == 3 and (spec.grey or spec.channel == "luma"):
        code = luma(code)
    return code * encoding.codes if spec.codes else code
