"""Write docs/metrics.md and docs/cli.md from the cards and the commands. `make docs` runs it; a test checks it was run."""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from hdrq.cards import Card, Metric
from hdrq.cli.app import door
from hdrq.registry import find, names

HERE = Path(__file__).parent


def metrics_page() -> str:
    lines = [
        "# Metrics",
        "",
        "Written by docs/build.py from the cards; edit those. `[stage:]...name[@weights][,option=value]...` names one:",
        "`pu21:ssim`, `y:pq:psnr`, `hdrvdp3,task=detection`. `pu-x` is short for `pu21:x`.",
        "",
        "| metric | what | reads | better | unit | span | needs |",
        "|---|---|---|---|---|---|---|",
    ]
    found = [find("metric", n) for n in names("metric")]
    for m in found:
        c = m.card
        span = f"{_end(c.span[0])} .. {_end(c.span[1])}"
        lines.append(
            f"| [{m.name}](#{m.name}) | {c.title} | {_reads(c)} | {c.better} | {c.unit} | {span} | {', '.join(c.needs)} |"
        )
    for m in found:
        lines += ["", f"## {m.name}", "", f"{m.card.title}. Source: {m.card.source}.", "", *_text(m)]
    return "\n".join(lines) + "\n"


def _reads(c: Card) -> str:
    channels = "one channel of " if c.grey else ""
    codes = " (8-bit-like codes)" if c.codes else ""
    if c.reference is None:
        return f"{channels}{c.reads}{codes}, no reference"
    if c.reference_reads != c.reads:
        return f"{c.reference_reads} reference, {c.reads} test"
    return f"{channels}{c.reads}{codes}"


def _end(value: float | None) -> str:
    return "…" if value is None else f"{value:g}"


def _text(m: Metric) -> list[str]:
    doc = inspect.getdoc(m.function) or ""
    options = [
        f"`{o.name}={o.default}`" + (f" ({', '.join(map(str, o.choices))})" if o.choices else "")
        for o in m.options.values()
    ]
    return ["```text", doc, "```", *(["", "Options: " + ", ".join(options)] if options else [])]


def cli_page() -> str:
    lines = [
        "# The command line",
        "",
        "Written by docs/build.py from the commands' own help; edit those.",
        "",
    ]
    context = click.Context(door, info_name="hdrq", help_option_names=["-h", "--help"], terminal_width=100)
    lines += ["```text", door.get_help(context).rstrip(), "```"]
    for name in names("command"):
        command = door.get_command(context, name)
        if command is None:
            continue
        for words, sub in _tree(command, ("hdrq", name)):
            inner = click.Context(
                sub, info_name=" ".join(words), help_option_names=["-h", "--help"], terminal_width=100
            )
            lines += ["", f"## {' '.join(words)}", "", "```text", sub.get_help(inner).rstrip(), "```"]
    lines += [
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        "| 0 | all went well |",
        "| 1 | some inputs failed, or had no partner; the others were done |",
        "| 2 | usage: an unknown name, an impossible option |",
        "| 3 | nothing could be done |",
        "| 130 | interrupted |",
    ]
    return "\n".join(lines) + "\n"


def _tree(command: click.Command, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(words, command)]
    if isinstance(command, click.Group):
        for name, sub in sorted(command.commands.items()):
            found += _tree(sub, (*words, name))
    return found


PAGES = {"metrics.md": metrics_page, "cli.md": cli_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")
