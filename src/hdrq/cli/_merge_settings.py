"""The options of hdrq merge as the engine's Settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hdrq.cli._idle import refuse
from hdrq.errors import UsageError


def of_brackets(folder: Path, options: dict[str, Any]) -> Any:
    """The Settings of many brackets; options of one bracket's frames or files are refused."""
    from hdrq.merging.api import refuse_outputs

    own = ("times", "ev", "table", "save_response", "plot_response", "ghost_mask", "report")
    for name in own:
        if options[name]:
            flag = {"table": "exposures"}.get(name, name).replace("_", "-")
            raise UsageError(
                f"--{flag} is for the frames of one bracket; leave it out when merging several brackets"
            )
    if options["reference"] != "auto":
        raise UsageError(
            "--reference names a frame of one bracket; leave it out when merging several brackets"
        )
    if folder.suffix and not folder.is_dir():
        raise UsageError(
            f"several brackets are written to a folder, but {folder} has a suffix; name a folder with -o"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"several brackets are written to a folder, but {folder} is a file; name a folder with -o"
        )
    suffix = options["suffix"] if options["suffix"].startswith(".") else f".{options['suffix']}"
    found = settings(options)
    refuse_outputs(Path.cwd() / f"bracket{suffix}", found)
    return found


def of_one(output: str, options: dict[str, Any]) -> Any:
    """The Settings of one bracket; options without effect on it are refused."""
    suffix = Path(output).suffix
    if options["suffix"].removeprefix(".") != suffix.removeprefix("."):
        refuse({"suffix"}, f"on {output}, which has a suffix" if suffix else "on one bracket")
    return settings(options)


def _refuse_with_fuse(options: dict[str, Any]) -> None:
    """Refuse an option of radiance that is given, also with the value that it has without being given."""
    refuse(
        {"response", "rule", "weight", "weigh", "edge", "scale"}, "with --fuse, which computes no radiance"
    )
    if options["deghost"] != "none":
        refuse({"deghost"}, "with --fuse, which computes no radiance")


def settings(options: dict[str, Any]) -> Any:
    """The Settings that the options describe."""
    from hdrq.merging.api import Capture, Settings, Weighting

    if options["fuse"]:
        _refuse_with_fuse(options)
    reference = options["reference"]
    if reference != "auto" and not (reference.isdigit() and int(reference) >= 1):
        raise UsageError(f"--reference is auto or a frame's number from 1, not '{reference}'")
    as_toolbox = options["edge"] == "toolbox"
    powers = _numbers(options["fusion_weights"], "--fusion-weights")
    if powers is None or len(powers) != 3 or min(powers) < 0:
        raise UsageError("--fusion-weights are three powers, contrast, saturation, exposure, such as 1,1,0")
    return Settings(
        times=_numbers(options["times"], "--times"),
        ev=_numbers(options["ev"], "--ev"),
        table=options["table"],
        allow_equal=options["allow_equal"],
        estimate_exposures=options["estimate_exposures"],
        response=options["response"],
        method=options["method"],
        weighting=Weighting(
            options["rule"],
            options["weight"],
            options["weigh"],
            options["edge"],
            fill_holes="toolbox" if as_toolbox else "",
            offset=1 / 65535 if as_toolbox else 0.0,
        ),
        align=options["align"],
        crop=options["crop"],
        deghost=options["deghost"],
        reference=None if reference == "auto" else int(reference) - 1,
        scale=options["scale"],
        fuse=options["fuse"],
        fusion_weights=(powers[0], powers[1], powers[2]),
        uncertainty=options["uncertainty"],
        white=options["white"],
        black=options["black"],
        balance=_balance(options["balance"]),
        demosaic=options["demosaic"],
        seed=options["seed"],
        device=options["device"],
        files=_file_settings(options),
        primaries=options["primaries"],
        capture=Capture(
            options["pattern"],
            None if options["cycle"] is None else int(options["cycle"]),
            options["neighbours"],
            options["layout"],
            _numbers(options["gains"], "--gains"),
            options["filters"],
            _pair(options["noise"]),
        ),
    )


def _file_settings(options: dict[str, Any]) -> Any:
    """What the files hold; scale, white and black of a merge are others than those of `hdrq score`."""
    from hdrq.cli import _records
    from hdrq.merging.api import FileSettings

    known = {key: options[key] for key in ("domain", "file_primaries", "nonfinite")}
    return FileSettings(_records.selection_of(options), _records.photometry_of(known))


def _pair(text: str | None) -> tuple[float, float] | None:
    numbers = _numbers(text, "--noise")
    if numbers is not None and len(numbers) != 2:
        raise UsageError(f"--noise is two numbers of electrons, such as 15000,4, not '{text}'")
    return None if numbers is None else (numbers[0], numbers[1])


def _balance(text: str) -> str | tuple[float, float, float]:
    if text in ("camera", "daylight", "none"):
        return text
    factors = _numbers(text, "--balance") if any(c.isdigit() for c in text) else None
    if factors is None or len(factors) != 3 or min(factors) <= 0:
        raise UsageError(
            "--balance is camera, daylight, none, or factors on red, green and blue such as 2.1,1,1.6"
        )
    return factors[0], factors[1], factors[2]


def _numbers(text: str | None, flag: str) -> list[float] | None:
    """1/30,1/8,2 as a list; EV may be negative."""
    if text is None:
        return None
    from hdrq.merging.api import number_of

    parts = [p for p in text.replace(" ", ",").split(",") if p]
    if not parts:
        raise UsageError(f"{flag} is empty; write {flag} 1/30,1/8,0.5")
    return [number_of(p) for p in parts]
