"""A metric's text bound to everything it needs, so that what can be wrong is wrong before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from hdrq.cards import Better, Metric, Output, Reading, Span, settings_of
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import (
    LIGHT,
    Photometry,
    Wish,
    as_image,
    emit_for,
    factor_of,
    hand,
    placed,
    relabel,
    screen_of,
)
from hdrq.errors import DomainError, PixelError, UsageError
from hdrq.image.sharing import sharing
from hdrq.records import BT709, Display, Image, Viewing
from hdrq.registry import find, names
from hdrq.scoring.request import Request, parse


@dataclass(frozen=True)
class Scorer:
    """A metric ready to be asked. `scorer(ref, dist)` gives (N,); `scorer.read(ref, dist)` the whole Reading.

    Images carry what they mean; bare tensors (N, C, H, W) are light in cd/m², BT.709. No-reference metrics
    take one picture. Gradients flow to whatever asks for them.
    """

    request: Request
    metric: Metric
    ref: Wish | None
    dist: Wish
    options: dict[str, Any]
    photometry: Photometry
    net: Any = None
    dtype: torch.dtype | None = None
    device: torch.device | None = None

    def __str__(self) -> str:
        return str(self.request)

    @property
    def full_reference(self) -> bool:
        return self.ref is not None

    @property
    def sequence(self) -> bool:
        """Whether a batch is taken as the frames of one sequence."""
        asked = self.metric.card.sequence
        return asked is not None and str(self.options.get(asked[0])) == asked[1]

    @property
    def output(self) -> Output:
        """What the value is with these options; unit, direction and range are read from here and nowhere else."""
        return self.metric.output(self.options)

    @property
    def better(self) -> Better:
        """Direction of the value: "higher" or "lower"."""
        return self.output.better

    @property
    def unit(self) -> str:
        """Unit of the value, "1" where it has none."""
        return self.output.unit

    @property
    def span(self) -> Span:
        """Range of the value; None at an end that is open."""
        return self.output.span

    @property
    def best(self) -> float | None:
        """Value of identical images, where that is a constant."""
        return self.output.best

    def __call__(self, ref: Image | Tensor, dist: Image | Tensor | None = None) -> Tensor:
        return self.read(ref, dist).value

    def read(
        self, ref: Image | Tensor | None, dist: Image | Tensor | None = None, maps: bool = True
    ) -> Reading:
        """Value, map and further numbers of one pair or batch."""
        if self.ref is None:
            image = self._place(dist if dist is not None else ref)
            self._refuse_small(image)
            self._refuse_light(image)
            pictures = (hand(image, self.dist, self.photometry, factor_of(image, self.photometry)),)
            return self._ask(image, maps, *pictures)
        if ref is None or dist is None:
            raise UsageError(f"{self} compares two pictures; give a reference and a test image")
        reference, test = self._place(ref), self._place(dist)
        if reference.size != test.size:
            raise PixelError(_mismatch(reference, test))
        self._refuse_small(test)
        self._refuse_light(reference, test)
        if (
            reference.bits != test.bits
        ):  # grey of 8 bits is rounded as the authors' programs do, but not against finer grey
            reference, test = replace(reference, bits=None), replace(test, bits=None)
        factor = factor_of(reference, self.photometry)
        a = hand(reference, self.ref, self.photometry, factor)
        b = hand(test, self.dist, self.photometry, factor)
        if a.shape[1] != b.shape[1]:
            raise PixelError(
                f"{_name(reference)} has {a.shape[1]} channels and {_name(test)} has {b.shape[1]}; "
                f"convert one, or compare luminance with y:{self}"
            )
        return self._ask(test, maps, a, b)

    @property
    def streams(self) -> bool:
        """Whether the frames of a sequence may come one by one."""
        return self.sequence and self.metric.card.streams and self.full_reference

    def read_frames(self, ref: Iterable[Image], dist: Iterable[Image]) -> Reading:
        """The Reading of a clip whose frames are read once, in order, and kept no longer than the metric needs them."""
        if not self.streams or self.ref is None:
            raise UsageError(f"{self} does not take a clip frame by frame")
        if self.photometry.peak is not None:
            raise UsageError(
                "--peak needs the brightest value of the whole clip; say what 1.0 is with --scale"
            )
        frames = iter(ref)
        first = self._place(next(frames, None))
        noted: list[str] = []

        def light(side: Iterable[Image], wish: Wish) -> Iterator[Tensor]:
            for image in map(self._place, side):
                if image.size != first.size:
                    raise PixelError(_mismatch(first, image))
                self._refuse_small(image)
                self._refuse_light(image)
                factor = factor_of(image, self.photometry)
                with sharing():
                    handed = hand(image, wish, self.photometry, factor)
                    changes = emit_for(image, self.photometry, factor).notes[len(image.notes) :]
                if changes:
                    noted.append(f"{_name(image)}: {', '.join(changes)}")
                yield handed[0]

        sides = light(chain([first], frames), self.ref), light(dist, self.dist)
        reading = self._ask(first, False, *sides)
        said = (f"{len(noted)} frames were changed, the first is {noted[0]}",) if noted else ()
        return replace(reading, notes=(*reading.notes, *said))

    def _ask(self, image: Image, maps: bool, *pictures: Tensor | Iterable[Tensor]) -> Reading:
        needs = self.metric.card.needs
        supplied: dict[str, Any] = {}
        if "ppd" in needs and "ppd" not in self.options:
            supplied["ppd"] = self.photometry.viewing.ppd
        if "display" in needs:
            supplied["display"] = screen_of(image, self.photometry)
        if "primaries" in needs:
            supplied["primaries"] = BT709
        if "encoding" in needs:
            supplied["encoding"] = find("encoding", self.dist.encoding or image.domain)
        if "net" in needs:
            supplied["net"] = self.net
        if "maps" in needs:
            supplied["maps"] = maps
        answer = self.metric(*pictures, **self.options, **supplied)
        return answer if isinstance(answer, Reading) else Reading(answer)

    def _place(self, pixels: Image | Tensor | None) -> Image:
        if pixels is None:
            raise UsageError(f"{self} needs a picture")
        image = relabel(as_image(pixels), self.photometry)
        return placed(image, self.device, self.dtype)

    def compares_code_as_stored(self) -> bool:
        """Whether no stage says which code, so that only files of code can be scored."""
        return self.dist.reads == "code" and not (self.dist.encoding or self.dist.tonemapper)

    def _refuse_light(self, *images: Image) -> None:
        for image in images:
            if self.compares_code_as_stored() and image.domain in LIGHT:
                raise DomainError(light_needs_encoding(self.metric.name, _name(image)))

    def _refuse_small(self, image: Image) -> None:
        side = self.metric.card.side
        if min(image.size) < side:
            h, w = image.size
            raise PixelError(
                f"{_name(image)} is {w}x{h}, and {self.metric.name} needs at least {side} pixels a side"
            )


def metric(
    text: str | Request,
    *,
    display: str | Display | None = None,
    ppd: float | None = None,
    photometry: Photometry | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Scorer:
    """A scorer for one metric: `hdrq.metric("pu21:ssim")(ref, dist)`.

    text     [stage:]...metric[@weights][,option=value]...
    display  name, .toml path or Display; ppd  pixels per degree; photometry  both and more, instead
    raises   UsageError, UnknownName, DomainError, MissingPart: whatever can be known before a pixel is seen
    """
    request = parse(text) if isinstance(text, str) else text
    found: Metric = find("metric", request.metric)
    settings = photometry or Photometry()
    if display is not None:
        shown = display if isinstance(display, Display) else shelf_display(display)
        settings = replace(settings, display=shown, viewing=shown.viewing or settings.viewing)
    if ppd is not None:
        settings = replace(settings, viewing=Viewing(float(ppd)))
    if settings.viewing.ppd <= 0:
        raise UsageError(f"pixels per degree must be positive, not {settings.viewing.ppd:g}")
    options = settings_of(found.options, dict(request.options), found.name)
    ref, dist = _wishes(request, found)
    net = None
    if found.card.net:
        from hdrq.nn.weights import load, native_encoding

        if dist.reads == "code" and dist.encoding is None and dist.tonemapper is None:
            native = native_encoding(found.card.net, request.weights)
            if native != "srgb":  # the weights say which code they read; sRGB ones take pictures as stored
                dist = replace(dist, encoding=native)
                ref = replace(ref, encoding=native) if ref is not None else None
        net = load(found.card.net, request.weights, dist.encoding or dist.reads)
        if device is not None:
            net = net.to(device)
    elif request.weights:
        raise UsageError(f"{found.name} has no weights; write {request.metric} without @{request.weights}")
    where = torch.device(device) if device is not None else None
    return Scorer(request, found, ref, dist, options, settings, net, dtype, where)


def _wishes(request: Request, found: Metric) -> tuple[Wish | None, Wish]:
    """What each side is handed; stages that the metric cannot use are refused here."""
    card = found.card
    encodings = [s for s in request.stages if s in names("encoding")]
    toners = [s for s in request.stages if s not in encodings and s in names("tonemapper")]
    channels = [s for s in request.stages if s in ("y", "luma")]
    if max(len(encodings), len(toners), len(channels)) > 1:
        raise UsageError(f"'{request}' names two stages of one kind; keep one")
    if card.reads != "code" and (encodings or toners):
        wants = "light" if card.reads in LIGHT else f"{card.reads} code"
        raise DomainError(
            f"{found.name} reads {wants} by itself; write {found.name} without {encodings or toners}:"
        )

    def wish(reads: str) -> Wish:
        encoding = encodings[0] if encodings else None
        if reads not in ("code", *LIGHT):
            encoding = reads
        return Wish(
            reads,
            encoding,
            toners[0] if toners else None,
            channels[0] if channels else None,
            card.grey,
            card.codes,
        )

    return (None if card.reference is None else wish(card.reference_reads or card.reads)), wish(card.reads)


def light_needs_encoding(name: str, path: str) -> str:
    """The line for a metric of code that was handed light."""
    return f"{name} compares code, and {path} holds light; write pu21:{name} or pq:{name}"


def _name(image: Image) -> str:
    return image.path or "the picture"


def _mismatch(ref: Image, dist: Image) -> str:
    (h, w), (y, x) = ref.size, dist.size
    return f"{_name(ref)} is {w}x{h} but {_name(dist)} is {x}x{y}; crop or resize one so that the sizes agree"
