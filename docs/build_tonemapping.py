"""Write docs/tonemapping.md and its pictures from the cards. `python docs/build_tonemapping.py`, by `make docs` too.

Pictures show the scene that hdrq renders itself; docs/tonemapping_measured.json holds what was measured elsewhere.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch

from hdrq import io
from hdrq.image.render import room
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
hdrq tonemap scene.exr picture.png --operator reinhard --set key=0.3
hdrq tonemap scene.exr picture.png --display hdr-pq-1000 --operator bt2390
hdrq tonemap scene.exr --compare all -o sheet.png
hdrq tonemap scene.exr best.png --optimize tmqi --params best.json
hdrq tonemap frames/ shown/ --temporal 12
hdrq tonemap photo.jpg light.exr --expand rempel --mask
```

An operator is a pure function of linear BT.709 light, (N, C, H, W), on any device. Called, it gives what a display
can show, 0..1 of its peak; `.function` gives the source's own numbers. NaN and Inf are refused, negative light is
black. `variant=` follows a known program where it departs from the paper. *Relative* operators give the same picture
whatever the unit of the scene (but for `logarithmic`, whose unit acts as its q and k); *absolute* ones want cd/m²
(`--scale`, `--peak`, `--white` say what a file holds).
*Gradient*: whether the derivative by the light is the true one. *Robust*: whether one firefly leaves the rest of the
picture alone; where not, the source takes the brightest or darkest pixel for its scale.

Held to programs by tests/test_tonemapper_goldens.py: 1e-5 relative where a value follows from its pixel and its
surroundings, 1e-3 in 99 % of the values where a system is solved, 1.5e-5 for pfstools' reinhard05, whose averages of
channels, summed in single precision, are 1e-5 to 2e-5 off (with those averages, ours agree to 1e-6). Not matched: HDR
Toolbox's overexposed share (6e-4: it stops its search within the share) and its former Fattal. The test names what is missing.
"""


def page() -> str:
    operators = [find("tonemapper", n) for n in names("tonemapper")]
    expanders = [find("expander", n) for n in names("expander")]
    lines = [
        _INTRO,
        "| | operator | input | gradient | robust | parameters and defaults |",
        "|---|---|---|---|---|---|",
    ]
    for o in operators:
        lines.append(
            f"| ![{o.name}](img/tone_{o.name}.jpg) | [{o.name}](#{o.name})<br>{o.card.title} | {_READS[o.card.reads]} "
            f"| {_yes(o.card.differentiable)} | {_yes(o.card.robust)} | {_parameters(o)} |"
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
        lines += [inspect.getdoc(o.function) or "", "```"]
        if o.card.tunes:
            spans = ", ".join(f"`{k}` {low:g} .. {high:g}" for k, (low, high) in o.card.tunes.items())
            lines += ["", f"Tuned by `--optimize`: {spans}."]
    return "\n".join(lines) + "\n"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _parameters(o: Operator) -> str:
    def text(value: Any) -> str:
        return "auto" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    return ", ".join(f"`{p.name}={text(p.default)}`" for p in o.options.values()) or "none"


def _measured() -> list[str]:
    """Sentences and tables of what was measured on photographs that are not in the repository."""
    data = json.loads((HERE / "tonemapping_measured.json").read_text(encoding="utf-8"))
    tuned = data["tmqi"]
    raised = sum(after > before for _, before, after in tuned)
    mean = [sum(row[i] for row in tuned) / len(tuned) for i in (1, 2)]
    lines = [
        "## Measured",
        "",
        f"`--optimize tmqi --operator sigmoid` ({data['tmqi_how']}) raises TMQI on {raised} of {len(tuned)} photographs,",
        f"from {mean[0]:.4f} to {mean[1]:.4f} on average.",
        "",
        "| picture | before | after |",
        "|---|---|---|",
        *(f"| {name} | {before:.4f} | {after:.4f} |" for name, before, after in tuned),
        "",
        f"Seconds of processor time for 1920x1080 ({data['seconds_how']}):",
        "",
        ", ".join(f"{name} {value:.2f}" for name, value in data["seconds"].items()) + ".",
    ]
    return lines


def pictures() -> None:
    light = Image(room(240, 160), "nits")
    for name in names("tonemapper"):
        io.write(HERE / "img" / f"tone_{name}.jpg", tonemap(light, plan(name)), quality=82)


def main() -> None:
    torch.set_num_threads(1)
    pictures()
    (HERE / "tonemapping.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
