"""Shell completion: names of entries, parts of a metric request, and weights. Nothing here may import torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hdrq.registry import names

if TYPE_CHECKING:
    from hdrq.records import Checkpoint

Completer = Callable[[Any, Any, str], list[str]]
# prefixes that stand for an encoding
_SHORT = ("pu-", "pq-", "log-")


def of(*kinds: str, also: tuple[str, ...] = ()) -> Completer:
    """Names of the entries of some kinds, and other words."""
    return lambda ctx, param, incomplete: [
        n for n in (*also, *(n for kind in kinds for n in names(kind))) if n.startswith(incomplete)
    ]


def listed(*kinds: str, also: tuple[str, ...] = ()) -> Completer:
    """The same for a list with commas, of which the last part is completed."""

    def complete(ctx: Any, param: Any, incomplete: str) -> list[str]:
        head, comma, last = incomplete.rpartition(",")
        return [head + comma + n for n in of(*kinds, also=also)(ctx, param, last)]

    return complete


def metric(ctx: Any, param: Any, incomplete: str) -> list[str]:
    """Metrics with their stages; after @ the weights, after a comma the options and further metrics, after = the choices."""
    head, comma, last = incomplete.rpartition(",")
    before = head.split(",") if comma else []
    owner = next((part for part in reversed(before) if "=" not in part), "")
    option, equals, value = last.partition("=")
    if equals and owner:
        choices = _options(owner).get(option.replace("-", "_"), ())
        return [f"{head},{option}={c}" for c in choices if c.startswith(value)]
    offered = _metrics(last)
    if owner and "@" not in last and ":" not in last:
        offered += [f"{name}=" for name in _options(owner) if name.startswith(last)]
    return [head + comma + text for text in offered]


def _metrics(text: str) -> list[str]:
    called, at, weights = text.partition("@")
    if at:
        return [f"{called}@{name}" for name in weights_of(_name(called)) if name.startswith(weights)]
    stages, colon, last = text.rpartition(":")
    offered = [*names("metric"), *(f"{e}:" for e in (*names("encoding"), "y", "luma"))]
    for short in _SHORT:
        offered += [short + n for n in names("metric")] if last.startswith(short) else [short]
    # ms_ssim is as good as ms-ssim
    typed = (last, last.replace("_", "-"))
    return [stages + colon + n for n in offered if n.startswith(typed)]


def _name(text: str) -> str:
    """The metric of a text such as pu21:ssim, pu-ssim or norvdpnet++@weights; "" where it is none."""
    from hdrq.errors import UsageError
    from hdrq.scoring.request import parse

    try:
        return parse(text).metric
    except UsageError:
        return ""


def _options(text: str) -> dict[str, tuple[str, ...]]:
    from hdrq.scoring.request import options_of_metric

    name = _name(text)
    return options_of_metric(name) if name else {}


def weights_of(name: str) -> list[str]:
    """The installed weights of a metric's network."""
    from hdrq.scoring.request import net_of_metric

    net = net_of_metric(name) if name else ""
    return sorted(card.name for card in _cards() if card.net == net)


def weights(ctx: Any, param: Any, incomplete: str) -> list[str]:
    """All installed weights."""
    return sorted(card.name for card in _cards() if card.name.startswith(incomplete))


def _cards() -> list[Checkpoint]:
    from hdrq.nn.weight_files import cards

    return [card for card, _ in cards()]
