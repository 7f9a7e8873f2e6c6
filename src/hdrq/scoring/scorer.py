"""A metric request bound to everything it needs, so that errors appear before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrq.cards import Better, Metric, Output, Reading, Span
from hdrq.encoding.photometry import (
    LIGHT,
    InputSpec,
    Photometry,
    Terms,
    as_image,
    common_white,
    encoding_notes,
    metric_input,
    screen_of,
    working_primaries,
)
from hdrq.errors import PixelError, UsageError
from hdrq.image.caching import sharing
from hdrq.records import BT709, BT2020, PRIMARIES, Image
from hdrq.registry import find
from hdrq.scoring.calibration import calibrated, line_of, output_best, output_in_jod
from hdrq.scoring.comparison import (
    PHOTOGRAPH,
    compared_as_stored,
    factors_of,
    labelled,
    labelled_as,
    moved_to,
    name_of,
    order_notes,
    photograph,
    primaries_notes,
    refuse_other_rate,
    refuse_unfit,
    sides_of,
    sizes_differ,
)
from hdrq.scoring.request import Request


@dataclass(frozen=True)
class Scorer:
    """A metric ready for use. `scorer(ref, dist)` gives (N,); `scorer.read(ref, dist)` the whole Reading.

    Images have domain and primaries; tensors (N, C, H, W) are taken as light in cd/m², BT.709. No-reference metrics
    take one image. Gradients are computed for inputs that require them.
    """

    request: Request
    metric: Metric
    ref: InputSpec | None
    dist: InputSpec
    options: dict[str, Any]
    photometry: Photometry
    net: Any = None
    dtype: torch.dtype | None = None
    device: torch.device | None = None

    def __str__(self) -> str:
        return str(self.request)

    @property
    def full_reference(self) -> bool:
        """Whether the metric compares two images."""
        return self.ref is not None

    @property
    def _specs(self) -> tuple[InputSpec, ...]:
        return (self.dist,) if self.ref is None else (self.ref, self.dist)

    @property
    def sequence(self) -> bool:
        """Whether a batch is interpreted as the frames of one sequence."""
        mode = self.metric.card.sequence
        return mode is not None and str(self.options.get(mode[0])) == mode[1]

    @property
    def output(self) -> Output:
        """The number that the value is with these options; unit, direction and range are read only from here."""
        found = self.metric.output(self.options)
        if self.full_reference:
            found = output_best(found, self.net)
        line = line_of(self.net)
        return found if line is None else output_in_jod(line, found, self.net)

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
        """Range of the value; None at an open end."""
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
        """Value, map, further numbers and notes of one pair or batch."""
        image = dist if dist is not None else ref
        if (mapped := self.with_tone_curve(image)) is not None:
            reading = mapped.read(image, None, maps)
            curve, name = self.metric.card.light, self.metric.name
            said = f"light was tone-mapped with {curve} (choose another with OPERATOR:{name})"
            return replace(reading, notes=(said, *reading.notes))
        with sharing():
            images, terms = self.prepare(ref, dist)
            inputs = self.inputs(images, terms)
            if len({p.shape[1] for p in inputs}) > 1:
                raise PixelError(
                    f"{name_of(images[0])} has {inputs[0].shape[1]} channels and {name_of(images[1])} has "
                    f"{inputs[1].shape[1]}; convert one, or compare luminance with y:{self}"
                )
            notes = [
                f"{Path(name_of(i)).name}: {note}"
                for i, w, p, f in self._with_sides(images)
                for note in (*encoding_notes(i, w, p, f, terms), *(n for n in i.notes if n == PHOTOGRAPH))
            ]
            reading = self.compute(images[-1], maps, terms, *inputs)
        about = (
            *primaries_notes(terms),
            *order_notes(self.metric, images),
            *self._rate_notes(images[-1]),
            *notes,
        )
        about = (*about, *reading.notes)
        return replace(reading, notes=tuple(dict.fromkeys(about)))

    def inputs(self, images: tuple[Image, ...], terms: Terms) -> list[Tensor]:
        """The input of the metric from images that agree on terms, (N, C, H, W) each."""
        return [metric_input(i, w, p, f, terms) for i, w, p, f in self._with_sides(images)]

    def _with_sides(self, images: tuple[Image, ...]) -> Iterator[tuple[Image, InputSpec, Photometry, float]]:
        """Every image with what the metric reads of it, the photometry of its side, and the factor on its light."""
        factors, sides = factors_of(images, self.photometry), sides_of(self.photometry, len(images))
        return zip(images, self._specs, sides, factors, strict=True)

    @property
    def streams(self) -> bool:
        """Whether the frames of a sequence may be given one by one."""
        return self.sequence and self.metric.card.streams and self.full_reference

    def read_frames(self, ref: Iterable[Image], dist: Iterable[Image]) -> Reading:
        """The Reading of a clip whose frames are read once, in order, and kept only as long as the metric needs them."""
        if not self.streams or self.ref is None:
            raise UsageError(f"{self} cannot process a clip frame by frame")
        if self.photometry.peak is not None:
            raise UsageError("--peak needs the whole clip at once; give the luminance of 1.0 with --scale")
        refs, dists = iter(ref), iter(dist)
        opening = next(refs, None), next(dists, None)
        if opening[0] is None or opening[1] is None:
            raise PixelError("a clip has no frames; name one that has")
        first = opening[0], opening[1]
        images, terms = self.prepare(*first)
        if terms.exact and self.photometry.primaries is None:
            # later frames may have colours outside the gamut of the first
            terms = replace(terms, primaries=BT2020)
        noted: list[str] = []

        def light(side: Iterable[Image], spec: InputSpec, place: int) -> Iterator[Tensor]:
            photometry = sides_of(self.photometry, 2)[place]
            for image in side:
                image = labelled_as(self._place(image), first[place], images[place])
                if image.size != images[0].size:
                    raise PixelError(sizes_differ(images[0], image))
                factor = factors_of((images[0], image), self.photometry)[place]
                with sharing(fresh=True):
                    pixels = metric_input(image, spec, photometry, factor, terms)
                    changes = encoding_notes(image, spec, photometry, factor, terms)
                if changes:
                    noted.append(f"{name_of(image)}: {', '.join(changes)}")
                yield pixels[0]

        sides = light(chain(first[:1], refs), self.ref, 0), light(chain(first[1:], dists), self.dist, 1)
        reading = self.compute(images[0], False, terms, *sides)
        said = (f"{len(noted)} frames were changed, the first is {noted[0]}",) if noted else ()
        about = (*primaries_notes(terms), *self._rate_notes(images[1]))
        return replace(reading, notes=(*about, *reading.notes, *said))

    def _rate_notes(self, image: Image) -> tuple[str, ...]:
        rate = f"{image.frame_rate:.6g}" if image.frame_rate else ""
        return (f"{rate} frames per second by the file",) if self.takes_rate_of(image) else ()

    def prepare(
        self, ref: Image | Tensor | None, dist: Image | Tensor | None = None
    ) -> tuple[tuple[Image, ...], Terms]:
        """The images on the device, in their domains, and the terms that all of them share."""
        if self.ref is None:
            images: tuple[Image, ...] = labelled(
                (self._place(dist if dist is not None else ref),), self.photometry
            )
        else:
            if ref is None or dist is None:
                raise UsageError(f"{self} compares two images; give a reference and a test image")
            images = labelled((self._place(ref), self._place(dist)), self.photometry)
            if images[0].size != images[1].size:
                raise PixelError(sizes_differ(*images))
            if self.sequence:
                refuse_other_rate(*images)
        images = tuple(photograph(i, w) for i, w in zip(images, self._specs))
        refuse_unfit(self.metric, images, self.compares_code_as_stored())
        as_stored = compared_as_stored(images, self._specs, self.photometry)
        wide = any(i.primaries != BT709 and i.pixels.shape[1] == 3 for i in images)
        primaries = BT709
        emitted = not as_stored or any(w is not None and w.reads in LIGHT for w in (self.ref, self.dist))
        if emitted and (wide or self.photometry.primaries):
            primaries = working_primaries(
                images, sides_of(self.photometry, len(images)), factors_of(images, self.photometry)
            )
        terms = Terms(
            primaries,
            exact=wide or primaries != BT709,
            stored=as_stored,
            eight_bit=all(i.bits == 8 for i in images),
            white=common_white(self.photometry),
        )
        return images, terms

    def takes_as_stored(self, ref: Image | None, dist: Image) -> bool:
        """Whether these images are compared as stored in their files."""
        images = (dist,) if self.ref is None or ref is None else (ref, dist)
        return compared_as_stored(
            tuple(photograph(i, w) for i, w in zip(images, self._specs)), self._specs, self.photometry
        )

    def compute(self, image: Image, maps: bool, terms: Terms, *inputs: Tensor | Iterable[Tensor]) -> Reading:
        """The Reading from the prepared input and the other arguments that the card needs."""
        answer = self.metric(*inputs, **self.options, **self.supplied(image, maps, terms))
        reading = answer if isinstance(answer, Reading) else Reading(answer)
        line = line_of(self.net)
        return reading if line is None else calibrated(line, reading, self.net)

    def supplied(self, image: Image, maps: bool, terms: Terms) -> dict[str, Any]:
        """The keyword arguments that the card needs from the engine."""
        needs = self.metric.card.needs
        found: dict[str, Any] = {}
        if "ppd" in needs and "ppd" not in self.options:
            found["ppd"] = self.photometry.viewing.ppd
        if "display" in needs:
            found["display"] = screen_of(image, sides_of(self.photometry, 1)[0])
        if "primaries" in needs:
            found["primaries"] = PRIMARIES.get(self.metric.card.space, terms.primaries)
        if "encoding" in needs:
            found["encoding"] = find("encoding", self.dist.encoding or image.domain)
        if "net" in needs:
            found["net"] = self.net
        if self.takes_rate_of(image):
            found["frame_rate"] = image.frame_rate
        if "maps" in needs:
            found["maps"] = maps
        return found

    def takes_rate_of(self, image: Image) -> bool:
        """Whether the frame rate is that of the file: the metric uses it, and the user gives none."""
        has = self.sequence and "frame_rate" in self.metric.options and "frame_rate" not in self.options
        return has and image.frame_rate is not None

    def _place(self, pixels: Image | Tensor | None) -> Image:
        if pixels is None:
            raise UsageError(f"{self} needs an image")
        return moved_to(as_image(pixels), self.device, self.dtype)

    def compares_code_as_stored(self) -> bool:
        """Whether no stage names the encoding, so that only files of code can be scored."""
        return self.dist.reads == "code" and not (self.dist.encoding or self.dist.tonemapper)

    def with_tone_curve(self, image: Image | Tensor | None) -> Scorer | None:
        """This no-reference metric of code, without a stage, behind the tone curve on its card; None where the image is
        not light or nothing needs tone mapping."""
        curve = self.metric.card.light
        if not curve or self.full_reference or image is None or not self.compares_code_as_stored():
            return None
        (seen,) = labelled((moved_to(as_image(image), self.device, self.dtype),), self.photometry)
        return replace(self, dist=replace(self.dist, tonemapper=curve)) if seen.domain in LIGHT else None
