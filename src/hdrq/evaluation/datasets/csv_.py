"""Any manifest: a CSV with one row a test image. The dataset for everything that has no reader of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.loose_archive import spread_of
from hdrq.evaluation.tables import number, read_csv, recognised_columns
from hdrq.records import Pair


@dataset(
    title="a manifest of your own: one row a test image",
    home="docs/evaluate.md",
    licence="yours",
    source="-",
    scale="as in its column of subjective scores; give --lower where lower is better",
    better="",
    span=None,
    domain="srgb",
    display="",
    references=0,
    distortions=0,
    images=0,
    marks=(".csv", ".tsv", "manifest.csv"),
    folders=(),
    layout=(
        "a .csv given by --data, or manifest.csv",
        "columns dist [ref] [opinion|mos|dmos|jod] [spread] [scene] "
        "[distortion] [level] [ppd]; paths relative to the file; or a table of hdrq score of one metric, whose values "
        "then stand for the subjective scores",
    ),
    spread="sd",
)
def csv(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Columns go by their usual names (`hdrq.evaluation.tables.SPELLINGS`); others are carried along.

    A row that repeats an image with its score, scene, distortion and level is left out.
    """
    path = folder.root if folder.root.is_file() else folder.need("manifest.csv")
    rows = read_csv(path)
    names = recognised_columns(list(rows[0]) if rows else [], rows)
    if "dist" not in names:
        raise FileError(f"{path}: no column is known to hold the test image; name it dist")
    if "mos" not in names and rows and {"metric", "value"} <= set(rows[0]):
        names["mos"] = "value"
        rows = _of_one_metric(path, rows)
    used = set(names.values())
    half_widths = {"spread_is": "se"} if "spread" not in names and {"low", "high"} <= set(names) else {}
    # column with the direction of the scores
    stated = {"value": "better"}.get(names.get("mos", ""), "mos_better")
    scored: dict[tuple[str, str], float] = {}
    seen: set[tuple[str, ...]] = set()
    for i, row in enumerate(rows, 2):

        def cell(meaning: str, row: dict[str, str] = row) -> str:
            return row[names[meaning]].strip() if meaning in names else ""

        def value(meaning: str, i: int = i) -> float | None:
            return number(cell(meaning), f"{path}: line {i}, {names[meaning]}") if cell(meaning) else None

        ref = cell("ref")
        level, mos = cell("level"), value("mos")
        before = scored.setdefault((ref, cell("dist")), mos) if mos is not None else None
        if before != mos:
            raise FileError(
                f"{path}: line {i} gives {cell('dist')} another {names['mos']} ({mos:g}) than an earlier row "
                f"({before:g}); remove one, or write their mean"
            )
        same = (ref, *(cell(meaning) for meaning in ("dist", "scene", "distortion", "level")))
        if mos is not None and same in seen:
            continue
        if mos is not None:
            seen.add(same)
        yield Pair(
            dist=_at(path, cell("dist"), i),
            ref=_at(path, ref, i) if ref else None,
            scene=cell("scene") or Path(ref or cell("dist")).stem,
            mos=mos,
            spread=spread_of(path, i, row, names),
            distortion=cell("distortion"),
            level=float(level) if level.replace(".", "", 1).isdigit() else None,
            carried={name: text for name, text in row.items() if name not in used and text}
            | half_widths
            | ({"mos_better": row[stated].strip()} if row.get(stated) else {}),
        )


def _of_one_metric(path: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows of a table of scores that have a score."""
    metrics = list(dict.fromkeys(row["metric"].strip() for row in rows))
    if len(metrics) > 1:
        raise FileError(
            f"{path} has scores of {', '.join(metrics)[:120]}; as labels they must be of one metric, so remove the rows "
            "of the others, or add a column mos"
        )
    return [row for row in rows if row.get("status", "ok") in ("ok", "") and row["value"].strip()]


def _at(table: Path, name: str, line: int) -> Path:
    """A manifest's path, relative to the manifest."""
    if not name:
        raise FileError(f"{table}: line {line} names no image")
    return table.parent / name
