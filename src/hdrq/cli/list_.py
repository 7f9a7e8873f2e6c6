"""hdrq list: the entries of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import click

import hdrq
from hdrq.cli import _options, _tables
from hdrq.cli._messages import say
from hdrq.errors import UsageError
from hdrq.registry import SHELVES, added, find, names, plural

_KINDS = {plural(kind): kind for kind in SHELVES if kind != "command"}

_UNCHECKED = "not checked on subjective scores here"
# columns at a terminal
_DATASETS = ("dataset", "here", "where, or what is missing", "title", "scale")


@click.command(name="list", short_help="List metrics, encodings, displays, formats ...")
@click.argument("kind", type=click.Choice([*_KINDS, "formats"]), required=False)
@_options.output_options
def list_(kind: str | None, format_: str | None, output: str | None) -> None:
    """List the entries of a kind. Without a kind, list the kinds."""
    makers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "metrics": _metrics,
        "encodings": _encodings,
        "displays": _displays,
        "datasets": _datasets,
        "formats": _formats,
    }
    if kind is None:
        counts = {many: len(names(one)) for many, one in _KINDS.items()}
        rows = [{"kind": many, "entries": n, "see": f"hdrq list {many}"} for many, n in counts.items()]
        rows.append({"kind": "formats", "entries": len(_formats()), "see": "hdrq list formats"})
    elif kind in makers:
        rows = makers[kind]()
    else:
        rows = _others(_KINDS[kind])
    columns = list(rows[0]) if rows else ["name"]
    format = _tables.format_of(format_, output)
    if format == "table":
        columns = list(_DATASETS) if kind == "datasets" else columns
        cells = ([_text(row[c]) for c in columns] for row in rows)
        _tables.show_table(columns, cells, output=output)
    else:
        _tables.write_text(_tables.text_of(rows, format, columns), output)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _entries(kind: str) -> Iterator[tuple[str, Any]]:
    """Name and object of every entry; an entry of another package that cannot be loaded is reported and skipped."""
    for name in names(kind):
        try:
            yield name, find(kind, name)
        except UsageError as error:
            if name not in added(kind):
                raise
            say(f"hdrq: {error}")


def _metrics() -> list[dict[str, Any]]:
    rows = []
    for name, found in _entries("metric"):
        card = found.card
        options = "; ".join(
            f"{o.name}={'|'.join(map(str, o.choices)) or o.default}" for o in found.options.values()
        )
        rows.append(
            {
                "metric": name,
                "title": card.title,
                "kind": _kind(card),
                "better": found.output().better,
                "unit": found.output().unit,
                "weights": _weights(card.net),
                "subjective_scores": _agreement(name, card.net),
                "options": options,
                "source": card.source,
            }
        )
    return rows


def _weights(net: str | None) -> str:
    """The installed weights of a learned metric's network."""
    if net is None:
        return ""
    return ", ".join(model.name for model in _trained(net)) or "none: train or import them"


def _agreement(metric: str, net: str | None) -> str:
    """How a metric, or the weights that answer for its network, agree with subjective scores."""
    from hdrq.scoring.api import checked_on

    if net is None:
        return checked_on(metric) or _UNCHECKED
    held = [model.card for model in _trained(net) if model.card is not None]
    texts = {c.name: c.results.get("subjective_scores") or checked_on(metric, c.name) for c in held}
    said = [f"{name}: {text}" for name, text in texts.items() if text]
    return "; ".join(said) or (_UNCHECKED if held else "")


def _trained(net: str) -> list[hdrq.Model]:
    """The installed weights of a network that were trained."""
    return [model for model in hdrq.models() if model.net == net and model.state == "here"]


def _kind(card: Any) -> str:
    """The input of a metric, in words."""
    if card.reference is None:
        return f"no reference, {card.reads}"
    if card.reference_reads != card.reads:
        return f"{card.reference_reads} against {card.reads}"
    return f"full reference, {card.reads}"


def _encodings() -> list[dict[str, Any]]:
    rows = []
    for name, e in _entries("encoding"):
        scale = "absolute" if e.absolute else "relative to the display's white"
        rows.append(
            {"encoding": name, "scale": scale, "codes of 1.0": e.codes, "grey": e.grey, "source": e.source}
        )
    return rows


def _displays() -> list[dict[str, Any]]:
    rows = []
    for name in names("display"):
        d = hdrq.display(name)
        rows.append(
            {
                "display": name,
                "title": d.title,
                "peak cd/m²": d.peak_nits,
                "black cd/m²": d.black_nits,
                "EOTF": d.eotf,
                "primaries": d.primaries,
                "lux": d.ambient_lux,
                "source": d.source,
            }
        )
    return rows


def _datasets() -> list[dict[str, Any]]:
    """Every dataset, and whether it is found under $HDRQ_DATA or the current folder."""
    from hdrq.evaluation.api import state

    rows = []
    for name, d in _entries("dataset"):
        here, where = state(d)
        rows.append(
            {
                "dataset": name,
                "here": here,
                "where, or what is missing": where,
                "title": d.title,
                "scale": d.scale,
                "domain": d.domain,
                "display": d.display,
                "references": d.references,
                "distortions": d.distortions,
                "images": d.images,
                "subsets": " ".join(d.subsets),
                "licence": d.licence,
                "home": d.home,
                "layout": "; ".join(d.layout),
                "source": d.source,
            }
        )
    return rows


def _formats() -> list[dict[str, Any]]:
    from hdrq.io import FORMATS

    return [
        {"format": f.title, "suffixes": " ".join(f.suffixes), "reads": f.reads, "writes": f.writes}
        for f in FORMATS
    ]


def _others(kind: str) -> list[dict[str, Any]]:
    """Entries of any other kind: name, title and source, from the card or the first line of the file."""
    rows = []
    for name, found in _entries(kind):
        card = getattr(found, "card", found)
        title = getattr(card, "title", "") or _first_line(kind, name)
        rows.append({kind: name, "title": title, "source": getattr(card, "source", "")})
    return rows


def _first_line(kind: str, name: str) -> str:
    """The first sentence of an entry's file, for entries whose card has no title."""
    if name in added(kind):
        module = import_module(added(kind)[name].module)
    else:
        module = import_module(f"hdrq.{SHELVES[kind]}.{name.replace('-', '_')}")
    return (module.__doc__ or "").strip().split("\n")[0]
