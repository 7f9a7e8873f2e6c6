"""A metric's name as users write it: [stage:]...metric[@weights][,option=value]..."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from hdrq.errors import UnknownName, UsageError
from hdrq.registry import check, names

CHANNELS = ("y", "luma")  # stages that leave one channel: luminance of light, luma of code


@dataclass(frozen=True)
class Request:
    """A metric request: [stage:]...metric[@weights][,option=value]..."""

    stages: tuple[str, ...]
    metric: str
    weights: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The canonical text, one spelling per meaning, so that rows can be compared."""
        head = ":".join((*self.stages, self.metric)) + (f"@{self.weights}" if self.weights else "")
        return ",".join([head, *(f"{k}={v}" for k, v in sorted(self.options))])


_SHORT = {"pu": "pu21", "log": "log10"}


def parse(text: str) -> Request:
    """Parse a request and expand short forms (pu-ssim is pu21:ssim). Names are checked, options are not."""
    head, *pairs = (part.strip() for part in text.strip().split(","))
    options = []
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (sign and key and value):
            raise UsageError(f"'{pair}' in '{text}' is not option=value")
        options.append((key.strip().replace("-", "_"), value.strip()))
    if len({key for key, _ in options}) < len(options):
        raise UsageError(f"an option is given twice in '{text}'")
    head, _, weights = head.partition("@")
    *stages, name = (
        part.lower().replace("++", "pp").replace("_", "-") for part in head.split(":")
    )  # norvdpnet++ is the file norvdpnetpp
    stages = [_SHORT.get(stage, stage) for stage in stages]
    if name not in names("metric"):
        prefix, _, rest = name.partition("-")
        encoding = _SHORT.get(prefix, prefix)
        if encoding in names("encoding") and rest:
            near = difflib.get_close_matches(rest, names("metric"), n=1, cutoff=0.5)
            if rest not in names("metric") and near:
                raise UnknownName(f"unknown metric '{name}'; did you mean {prefix}-{near[0]}?")
            if rest in names("metric"):
                stages, name = [*stages, encoding], rest
    for stage in stages:
        if stage not in CHANNELS and stage not in names("encoding") and stage not in names("tonemapper"):
            near = difflib.get_close_matches(
                stage, (*CHANNELS, *names("encoding"), *names("tonemapper")), n=3
            )
            hint = f"did you mean {', '.join(near)}?" if near else "see: hdrq list encodings"
            raise UnknownName(f"unknown stage '{stage}' in '{text}'; {hint}")
    return Request(tuple(stages), check("metric", name), weights, tuple(options))


def split_requests(texts: tuple[str, ...] | list[str]) -> list[Request]:
    """Requests from repeated and comma-separated arguments; a part with '=' belongs to the metric before it."""
    requests = []
    for text in texts:
        parts: list[str] = []
        for part in text.split(","):
            if "=" in part and parts:
                parts[-1] += "," + part
            elif part.strip():
                parts.append(part)
        requests += [parse(part) for part in parts]
    return list(dict.fromkeys(requests))
