"""A metric request with its options, display, viewing and weights made into a Scorer: hdrq.metric for one call."""

from __future__ import annotations

from dataclasses import replace

import torch

from hdrq.cards import Metric, settings_of
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import LIGHT, InputSpec, Photometry
from hdrq.errors import DomainError, UsageError
from hdrq.image.devices import device_of
from hdrq.records import Display, Viewing
from hdrq.registry import find, names
from hdrq.scoring.request import Request, parse
from hdrq.scoring.scorer import Scorer


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
    raises   UsageError, UnknownName, DomainError, MissingPart: everything that can be checked before a pixel is read
    """
    request = parse(text) if isinstance(text, str) else text
    return bind(
        request,
        find("metric", request.metric),
        display=display,
        ppd=ppd,
        photometry=photometry,
        device=device,
        dtype=dtype,
    )


def bind(
    request: Request,
    entry: Metric,
    *,
    display: str | Display | None = None,
    ppd: float | None = None,
    photometry: Photometry | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Scorer:
    """A metric bound to its options, display, viewing and weights; see `metric`."""
    settings = photometry or Photometry()
    if display is not None:
        shown = display if isinstance(display, Display) else shelf_display(display)
        settings = replace(settings, display=shown, viewing=shown.viewing or settings.viewing)
    if ppd is not None:
        settings = replace(settings, viewing=Viewing(float(ppd)))
    if settings.viewing.ppd <= 0:
        raise UsageError(f"pixels per degree must be positive, not {settings.viewing.ppd:g}")
    options = settings_of(entry.options, dict(request.options), entry.name)
    ref, dist = _specs(request, entry)
    net = None
    if entry.card.net:
        from hdrq.nn.weights import load, native_encoding

        if dist.reads == "code" and dist.encoding is None and dist.tonemapper is None:
            native = native_encoding(entry.card.net, request.weights)
            # the weights determine the code; those of sRGB read images as stored
            if native != "srgb":
                dist = replace(dist, encoding=native)
                ref = replace(ref, encoding=native) if ref is not None else None
        net = load(entry.card.net, request.weights, dist.encoding or dist.reads)
        if device is not None:
            net = net.to(device_of(device))
    elif request.weights:
        raise UsageError(f"{entry.name} has no weights; write {request.metric} without @{request.weights}")
    where = device_of(device) if device is not None else None
    return Scorer(request, entry, ref, dist, options, settings, net, dtype, where)


def _specs(request: Request, found: Metric) -> tuple[InputSpec | None, InputSpec]:
    """The input of each side; stages that the metric cannot use are refused here."""
    card = found.card
    encodings = [s for s in request.stages if s in names("encoding")]
    toners = [s for s in request.stages if s not in encodings and s in names("tonemapper")]
    channels = [s for s in request.stages if s in ("y", "luma")]
    if max(len(encodings), len(toners), len(channels)) > 1:
        raise UsageError(f"'{request}' names two stages of one kind; keep one")
    if card.reads != "code" and (encodings or toners):
        wants = "light" if card.reads in LIGHT else f"{card.reads} code"
        raise DomainError(
            f"{found.name} reads {wants} by itself; write {found.name} without {(encodings or toners)[0]}:"
        )

    def spec(reads: str) -> InputSpec:
        encoding = encodings[0] if encodings else None
        if reads not in ("code", *LIGHT):
            encoding = reads
        return InputSpec(
            reads,
            encoding,
            toners[0] if toners else None,
            channels[0] if channels else None,
            card.grey,
            card.codes,
            card.space,
        )

    return (None if card.reference is None else spec(card.reference_reads or card.reads)), spec(card.reads)
