"""Every operator and expander, and every variant, on a small scene that hdrq renders: a clone without ../shared proves them.

tests/golden/tonemapping.json holds what the functions gave at hdrq commit `hdrq` of that file, in float64, in the same
session in which tests/tonemapping/test_tonemapper_goldens.py held them to HDR Toolbox 5375d05, pfstools 2.2 and OpenCV 5.0.
`python tests/tonemapping/test_tonemapper_small_goldens.py COMMIT` writes the file anew: only after those tests have passed.
With names after COMMIT it adds or replaces the numbers of these operators only; `hdrq` stays the commit of all others.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from hdrq.image.render import room
from hdrq.registry import find, names

FILE = Path(__file__).parents[1] / "golden" / "tonemapping.json"
HOW = (
    "python tests/tonemapping/test_tonemapper_small_goldens.py COMMIT {} writes the numbers of a new operator"
)
ROWS, COLUMNS = (1, 9, 17, 26), (2, 13, 24, 37)


def cases() -> list[tuple[str, str, dict[str, object]]]:
    """(shelf, name, options) of every operator with its defaults, and with every other choice."""
    found: list[tuple[str, str, dict[str, object]]] = []
    for kind in ("tonemapper", "expander"):
        for name in names(kind):
            found.append((kind, name, {}))
            for option, o in find(kind, name).options.items():
                others = o.choices or ((not o.default,) if o.kind is bool else ())
                found += [(kind, name, {option: choice}) for choice in others if choice != o.default]
    return found


def label(case: tuple[str, str, dict[str, object]]) -> str:
    _, name, options = case
    return ",".join([name, *(f"{k}={v}" for k, v in options.items())])


def values(case: tuple[str, str, dict[str, object]]) -> list[float]:
    """The operator's own numbers at sixteen pixels, three channels each."""
    kind, name, options = case
    light = room(40, 30).double()
    given = light if kind == "tonemapper" else (light / 300).clamp(0, 1) ** (1 / 2.2)
    shown = find(kind, name).function(given, **options)
    return shown[0][:, ROWS][..., COLUMNS].flatten().tolist()


def moved(case: tuple[str, str, dict[str, object]]) -> tuple[str, str, dict[str, object]]:
    """The case with every number moved away from its default: a fifth up, or to the middle of what a search would try."""
    kind, name, options = case
    o, found = find(kind, name), dict(options)
    for option, described in o.options.items():
        low, high = o.limits(option)
        if option in options or described.kind not in (int, float):
            continue
        if described.default is None:
            tunes = o.card.tunes.get(option)
            if tunes is None:
                continue
            value = (tunes[0] * tunes[1]) ** 0.5 if tunes[0] > 0 else sum(tunes) / 2
        else:
            value = described.default + 1 if described.kind is int else 1.2 * described.default or 0.1
        if low <= value <= high:
            found[option] = round(value) if described.kind is int else value
    return kind, name, found


def ladder() -> torch.Tensor:
    """(1, 3, 24, 48) light from 0.001 to 20 000 cd/m², columns by brightness and rows by hue, under a checked texture."""
    steps = 10 ** torch.linspace(-3, 4.3, 48, dtype=torch.float64)
    hues = [
        (1, 1, 1),
        (1, 0.2, 0.1),
        (0.2, 1, 0.3),
        (0.15, 0.3, 1),
        (1, 0.9, 0.3),
        (0.5, 0.2, 1),
        (0.3, 1, 1),
        (1, 0.6, 0.5),
    ]
    colours = torch.tensor(hues, dtype=torch.float64).repeat_interleave(3, 0).T[None, :, :, None]
    row, column = torch.arange(24)[:, None], torch.arange(48)
    return colours * steps * (1 + 0.1 * (1 - 2 * ((row + column) % 2)))


def zones(case: tuple[str, str, dict[str, object]]) -> list[float]:
    """Means of what is shown of eight parts of the ladder, three channels each, every pixel with a weight of its own."""
    kind, name, options = case
    given = ladder() if kind == "tonemapper" else (ladder() / 300).clamp(0, 1) ** (1 / 2.2)
    shown = find(kind, name).function(given, **options)
    weights = 1 + 0.5 * torch.cos(1.7 * torch.arange(shown[0, 0].numel())).view(shown.shape[-2:]).double()
    return (shown * weights)[0].unflatten(-1, (8, -1)).mean((1, 3)).flatten().tolist()


def stored(part: str, case: tuple[str, str, dict[str, object]]) -> list[float]:
    golden: dict[str, list[float]] = json.loads(FILE.read_text(encoding="utf-8"))[part]
    assert label(case) in golden, HOW.format(case[1])
    return golden[label(case)]


@pytest.mark.parametrize("case", cases(), ids=label)
def test_numbers_are_those_that_agreed_with_the_programs(case):
    golden = stored("values", case)
    found = torch.tensor(values(case), dtype=torch.float64)
    off = (found - torch.tensor(golden, dtype=torch.float64)).abs() / found.abs().clamp(min=1e-2)
    assert float(off.max()) < 1e-4


def held(found: list[float], golden: list[float], name: str) -> bool:
    """To 1e-4; the solver of mantiuk-2006 ends sooner than that, where processors round differently."""
    here, kept = (torch.tensor(v, dtype=torch.float64) for v in (found, golden))
    return float(((here - kept).abs() / here.abs().clamp(min=1e-5)).max()) < (
        1e-3 if name == "mantiuk-2006" else 1e-4
    )


@pytest.mark.parametrize("case", cases(), ids=label)
def test_a_ladder_from_starlight_to_the_sun_is_shown_as_before(case):
    """Seven decades take every piece of a curve and every threshold, which the room's light does not reach.

    With the defaults, and with every number of the operator moved, so that each has its part in a result.
    """
    assert held(zones(case), stored("ladder", case), case[1])
    assert held(zones(moved(case)), stored("moved", case), case[1])


def test_the_file_names_every_case_and_no_other():
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(kept["values"]) == set(kept["ladder"]) == set(kept["moved"]) == {label(c) for c in cases()}


def main() -> None:
    torch.set_num_threads(1)
    FILE.parent.mkdir(exist_ok=True)
    commit, only = sys.argv[1], sys.argv[2:]
    before = json.loads(FILE.read_text(encoding="utf-8")) if only else {}
    if only:
        before["added"] = {**before.get("added", {}), **dict.fromkeys(only, commit)}
    texts = [f'"hdrq": "{before.get("hdrq", commit)}"']
    texts += [f'"added": {json.dumps(before["added"])}'] if only else []
    for part, function in (("values", values), ("ladder", zones), ("moved", lambda c: zones(moved(c)))):
        kept = {
            label(c): before[part][label(c)]
            if only and c[1] not in only
            else [float(f"{v:.8g}") for v in function(c)]
            for c in cases()
        }
        lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in kept.items())
        texts.append(f'"{part}": {{\n{lines}\n }}')
    FILE.write_text("{\n " + ",\n ".join(texts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from few_steps import few_steps

    with few_steps():
        main()
