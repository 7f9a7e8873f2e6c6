"""Write docs/tonemapping.md and its pictures from the cards. `python docs/build_tonemapping.py`, by `make docs` too.

Images show scenes that hdrq renders itself (docs/scenes.py); docs/tonemapping_measured.json holds what was measured on
photographs.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from scenes import SCENES

from hdrq import io
from hdrq.cards import Option
from hdrq.records import Image
from hdrq.registry import find, names
from hdrq.tonemapping.operator import Operator
from hdrq.tonemapping.tonemap import plan, tonemap

HERE = Path(__file__).parent
_READS = {
    "nits": "absolute, cd/m²",
    "linear": "relative, any scale",
    "code": "SDR code",
}
_INTRO = """# Tone mapping

Written by docs/build_tonemapping.py from the cards; edit those.

```
hdrq tonemap scene.exr image.png --operator reinhard --set key=0.3
hdrq tonemap a.exr b.hdr images/ --operator drago
hdrq tonemap scene.exr image.png --display hdr-pq-1000 --operator bt2390
hdrq tonemap scene.exr --compare all -o sheet.png
hdrq tonemap scene.exr best.png --optimize tmqi --params best.json
hdrq tonemap frames/ shown/ --temporal 12
hdrq tonemap photo.jpg light.exr --expand rempel --mask
```

An operator is a pure function of linear BT.709 light, (N, C, H, W), on any device. Called, it returns what a display
can show, 0..1 of its peak; `.function` returns the source's own numbers. NaN and Inf are refused, and so is an option
beyond its range. Black pixels (zeros and negatives) stay black and do not count: black borders are cut off first,
averages and ranks leave black pixels out, and filters and solvers see their surroundings continued there.
`variant=` follows a known program where it departs from the paper, in its treatment of black pixels too.

*Relative* operators give the same result whatever the unit of the scene (but for `logarithmic`, whose unit acts as its
q and k). *Absolute* ones read cd/m². Where neither the file nor `--scale`, `--peak` or `--white` states the unit, and
the light looks relative or has a geometric mean below 1 cd/m², that mean is put at 36.5 cd/m² (18 % of the reference
white of BT.2408), and a note says so.

*Gradient*: whether the derivative by the light is the true one almost everywhere. *Robust*: whether one firefly changes
the rest of the image by less than two codes in the mean; where not, the source takes the brightest or darkest pixel for
its scale. *Film*: whether its statistics can follow the frames of a film (`--temporal`).

## Optimisation

`--optimize METRIC` searches the parameters named below each operator, within their ranges, from three starts: the
present settings and two others. Where the result is a smooth function of the parameters, by Adam on true gradients;
where it depends on one of them in steps (ranks, choices of scale, histograms), by CMA-ES, or by golden sections along
a single parameter. The search runs on an image of about 512 pixels; the best of each start is judged on the code that
is written, at full size and rounded to its bits, beside the settings it began with, and the best of all is kept.
Parameters that only change colours stay as they are under metrics that see luminance alone. Metrics of natural
statistics without a reference (niqe, brisque, piqe) are refused: they prefer overexposed images.

## Operators

Each strip shows four scenes that hdrq renders itself (docs/scenes.py): a room with a window (0.2 to 12 000 cd/m²), a
sunset (0.5 to 100 000), a street at night (0.005 to 20 000), and colour patches in sun and shade (0.1 to 50 000).

Held to programs by tests/test_tonemapper_goldens.py: 1e-5 relative where a value follows from its pixel and its
surroundings, 1e-6 for lischinski in float64, 1e-3 in 99 % of the values where another system is solved by iteration,
1.5e-5 for pfstools' reinhard05, whose averages of channels are summed in single precision. Not matched: HDR Toolbox's
overexposed share (6e-4: it stops its search within the share). The test names the operators that are missing.
"""


def page() -> str:
    operators = [find("tonemapper", n) for n in names("tonemapper")]
    expanders = [find("expander", n) for n in names("expander")]
    lines = [
        _INTRO,
        "| operator | input | gradient | robust | film | room, sunset, street, patches |",
        "|---|---|---|---|---|---|",
    ]
    for o in operators:
        lines.append(
            f"| [{o.name}](#{o.name})<br>{o.card.title} | {_READS[o.card.reads]} | {_yes(o.card.differentiable)} "
            f"| {_yes(o.card.robust)} | {_yes(o.card.temporal)} | ![{o.name}](img/tone_{o.name}.jpg) |"
        )
    lines += [
        "",
        "## Inverse operators",
        "",
        "| expander | what | parameters and defaults |",
        "|---|---|---|",
    ]
    lines += [f"| [{o.name}](#{o.name}) | {o.card.title} | {_parameters(o)} |" for o in expanders]
    lines += ["", *_measured()]
    for o in (*operators, *expanders):
        lines += ["", f"### {o.name}", "", f"{o.card.title}. Source: {o.card.source}.", "", "```text"]
        lines += [inspect.getdoc(o.function) or "", "```", "", f"Options: {_parameters(o)}."]
        if o.card.tunes:
            spans = ", ".join(f"`{k}` {low:g} .. {high:g}" for k, (low, high) in o.card.tunes.items())
            lines += ["", f"Searched by `--optimize`: {spans}."]
    return "\n".join(lines) + "\n"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _parameters(o: Operator) -> str:
    """Every option with its default, and its choices or its range."""

    def text(value: Any) -> str:
        return "auto" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    def values(p: Option) -> str:
        if p.choices or p.kind is bool:
            return f" ({', '.join(p.choices)})" if p.choices else " (yes, no)"
        low, high = o.limits(p.name)
        return f" ({low:g} .. {high:g})"

    return ", ".join(f"`{p.name}={text(p.default)}`{values(p)}" for p in o.options.values()) or "none"


def _measured() -> list[str]:
    """Sentences and tables of what was measured on photographs that are not in the repository."""
    data = json.loads((HERE / "tonemapping_measured.json").read_text(encoding="utf-8"))
    tuned = data["tmqi"]
    raised = sum(after > before for _, before, _, after in tuned)
    mean = [sum(row[i] for row in tuned) / len(tuned) for i in (1, 2, 3)]
    lines = [
        "## Measured",
        "",
        f"`--optimize tmqi` ({data['tmqi_how']}) raises TMQI of plain reinhard on {raised} of {len(tuned)} photographs,",
        f"from {mean[0]:.4f} to {mean[2]:.4f} on average; sigmoid reaches {mean[1]:.4f}.",
        "",
        "| image | plain reinhard | sigmoid, optimised | reinhard, optimised |",
        "|---|---|---|---|",
        *(f"| {name} | {a:.4f} | {b:.4f} | {c:.4f} |" for name, a, b, c in tuned),
        *_ten(data.get("tmqi_ten", [])),
        "",
        f"Seconds of processor time for 1920x1080 ({data['seconds_how']}):",
        "",
        ", ".join(f"{name} {value:.2f}" for name, value in data["seconds"].items()) + ".",
    ]
    return lines


def _ten(rows: list[list[Any]]) -> list[str]:
    """The mean over the photographs, reduced to 180 pixels, for several operators."""
    if not rows:
        return []
    return [
        "",
        "The same for more operators, means over these photographs reduced to about 180 pixels (8 steps, two starts), and on",
        "how many of them the optimum beats plain reinhard:",
        "",
        "| operator | default | optimised | beats plain reinhard |",
        "|---|---|---|---|",
        *(f"| {name} | {before:.4f} | {after:.4f} | {wins} of 15 |" for name, before, after, wins in rows),
    ]


def pictures() -> None:
    """A strip of the four scenes by every operator."""
    scenes = [Image(make(210, 140), "nits") for make in SCENES.values()]
    for name in names("tonemapper"):
        shown = [tonemap(scene, plan(name)) for scene in scenes]
        gap = torch.ones(1, 3, 140, 4)
        strip = torch.cat([part for s in shown for part in (s.pixels, gap)][:-1], -1)
        io.write(HERE / "img" / f"tone_{name}.jpg", Image(strip, "srgb", bits=8), quality=80)


def main() -> None:
    torch.set_num_threads(1)
    pictures()
    (HERE / "tonemapping.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
