"""Settings of a merge, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from numbers import Real
from typing import Any, Literal

from hdrq.encoding.settings import refuse_impossible_numbers, refuse_unknown_choices, refuse_unknown_primaries
from hdrq.errors import UsageError
from hdrq.io.raw import Factors
from hdrq.merging.alignment.registration import Method as Alignment
from hdrq.merging.averaging import Weighting, rules
from hdrq.merging.file_settings import FileSettings
from hdrq.merging.network import AVERAGE
from hdrq.merging.response.calibration import check_response
from hdrq.merging.sequence.capture import Capture
from hdrq.merging.weights import WEIGHTS

Scale = Literal["auto", "absolute", "relative", "median"]
Deghost = Literal["auto", "reference", "bitmap", "patch", "none"]


@dataclass(frozen=True)
class Settings:
    """Settings of a merge; every field has the meaning of the option of the same name of `hdrq merge`."""

    times: Sequence[float] | None = None
    ev: Sequence[float] | None = None
    table: str | None = None
    allow_equal: bool = False
    estimate_exposures: bool = False
    response: str = "auto"
    method: str = AVERAGE
    weighting: Weighting = field(default_factory=Weighting)
    align: Alignment = "auto"
    crop: Literal["common", "reference"] = "common"
    deghost: Deghost = "auto"
    reference: int | None = None
    scale: Scale = "auto"
    fuse: bool = False
    fusion_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    uncertainty: bool = False
    white: float | None = None
    black: float | None = None
    balance: str | Factors = "camera"
    demosaic: Literal["before", "after"] = "before"
    seed: int = 0
    device: str = "cpu"
    files: FileSettings = field(default_factory=FileSettings)
    primaries: str | None = None
    capture: Capture = field(default_factory=Capture)


def replaced(settings: Settings, times: Sequence[float] | None, options: dict[str, Any]) -> Settings:
    """Settings with fields replaced by name."""
    known = {f.name for f in fields(Settings)} - {"weighting", "capture"}
    weighting = {f.name for f in fields(Weighting)}
    capture = {f.name for f in fields(Capture)}
    for name in options:
        if name not in known | weighting | capture:
            every = ", ".join(sorted(known | weighting | capture))
            raise UsageError(f"merge has no option '{name}'; its options are {every}")
    weights = {k: v for k, v in options.items() if k in weighting}
    captured = {k: v for k, v in options.items() if k in capture}
    changes = {k: v for k, v in options.items() if k in known}
    if times is not None:
        changes["times"] = times
    return replace(
        settings,
        weighting=replace(settings.weighting, **weights),
        capture=replace(settings.capture, **captured),
        **changes,
    )


def check_balance(balance: object) -> None:
    """Raise UsageError where a white balance is neither a word nor a positive factor for each colour."""
    factors = balance if isinstance(balance, (tuple, list)) else ()
    numbers = [f for f in factors if isinstance(f, Real) and 0 < float(f) < inf]
    if balance not in ("camera", "daylight", "none") and not len(numbers) == len(factors) == 3:
        raise UsageError(
            "--balance is camera, daylight, none, or factors on red, green and blue such as 2.1,1,1.6"
            f", not {balance!r}"
        )


def refuse_contradictions(settings: Settings) -> None:
    """Refuse wrong names and contradictory options before the first file is read."""
    if settings.weighting.rule not in rules():
        raise UsageError(f"unknown rule '{settings.weighting.rule}'; choose one of {', '.join(rules())}")
    if settings.weighting.weight not in WEIGHTS:
        raise UsageError(f"unknown weight '{settings.weighting.weight}'; choose one of {', '.join(WEIGHTS)}")
    refuse_unknown_choices(settings)
    refuse_unknown_choices(settings.weighting)
    refuse_impossible_numbers(settings, ("white",), ("black", "seed", "reference"))
    refuse_impossible_numbers(settings.weighting, (), ("offset",))
    check_balance(settings.balance)
    check_response(settings.response)
    refuse_unknown_primaries(settings.primaries)
    settings.capture.refuse_contradictions()
    if settings.demosaic == "after":
        moved = settings.align not in ("auto", "none") or settings.deghost in ("bitmap", "patch")
        if moved or settings.fuse or settings.uncertainty:
            raise UsageError(
                "--demosaic after allows only --align none and --deghost reference or none, "
                "and neither --fuse nor --uncertainty; use --demosaic before"
            )
    if settings.method != AVERAGE:
        _refuse_idle_with_network(settings)
    if settings.fuse:
        plain = Settings()
        ignored = {
            "--deghost": settings.deghost not in ("auto", "none"),
            "--response": settings.response != plain.response,
            "--rule, --weight, --weigh, --edge": settings.weighting != plain.weighting,
            "--scale": settings.scale != plain.scale,
            "--estimate-exposures": settings.estimate_exposures,
            "--uncertainty": settings.uncertainty,
            "--primaries": settings.primaries is not None,
        }
        if any(ignored.values()):
            names = ", ".join(name for name, given in ignored.items() if given)
            raise UsageError(f"--fuse computes no radiance and does not use {names}; leave it out")
    elif settings.fusion_weights != Settings().fusion_weights:
        raise UsageError("--fusion-weights needs --fuse; add it or leave --fusion-weights out")


def _refuse_idle_with_network(settings: Settings) -> None:
    """Refuse what a network does not use."""
    plain = Settings()
    ignored = {
        "--deghost": settings.deghost not in ("auto", "none"),
        "--rule, --weight, --weigh, --edge": settings.weighting != plain.weighting,
        "--uncertainty": settings.uncertainty,
        "--fusion-weights": settings.fusion_weights != plain.fusion_weights,
        "--reference": settings.reference is not None and not settings.fuse,
        "--demosaic after": settings.demosaic != plain.demosaic,
    }
    if any(ignored.values()):
        names = ", ".join(name for name, given in ignored.items() if given)
        raise UsageError(f"--method {settings.method} does not use {names}; leave it out")
