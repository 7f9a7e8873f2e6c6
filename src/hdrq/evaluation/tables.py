"""Reading tables as rows: CSV, text, MAT and Excel files; errors name the line."""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

from hdrq.errors import FileError
from hdrq.io.remote_cache import local
from hdrq.io.rows import parquet_columns, parquet_rows

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"


def read_xlsx(path: Path, sheet: str | None = None, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Rows below the first row that holds all of `columns` (case-insensitive), as texts by column name.

    sheet  its name; None for the first one
    """
    grid = _grid(path, sheet)
    wanted = {name.casefold() for name in columns}
    for i, row in enumerate(grid):
        names = {text.strip().casefold(): column for column, text in row.items() if text.strip()}
        if names and wanted <= set(names):
            header = {column: row[column].strip() for column in names.values()}
            rows = ({name: below.get(c, "") for c, name in header.items()} for below in grid[i + 1 :])
            return [r for r in rows if any(r.values())]
    raise FileError(f"{path}: no row has the column names {', '.join(columns)}")


def _grid(path: Path, sheet: str | None) -> list[dict[int, str]]:
    """Rows as {column number: text}."""
    try:
        with zipfile.ZipFile(path) as book:
            texts = _shared(book)
            root = ET.fromstring(book.read(_sheet_part(book, path, sheet)))
    except (OSError, zipfile.BadZipFile, KeyError, ET.ParseError) as wrong:
        raise FileError(f"{path}: not an Excel workbook ({wrong})") from None
    grid = []
    for row in root.iter(f"{_MAIN}row"):
        held: dict[int, str] = {}
        for place, cell in enumerate(row.iter(f"{_MAIN}c")):
            held[_column(cell.get("r"), place)] = _value(cell, texts)
        grid.append(held)
    return grid


def _sheet_part(book: zipfile.ZipFile, path: Path, sheet: str | None) -> str:
    """Name of the zip entry that holds a sheet."""
    workbook = ET.fromstring(book.read("xl/workbook.xml"))
    targets = {
        rel.get("Id"): rel.get("Target", "")
        for rel in ET.fromstring(book.read("xl/_rels/workbook.xml.rels")).iter(f"{_PACKAGE}Relationship")
    }
    known = {s.get("name", ""): targets[s.get(f"{_REL}id")] for s in workbook.iter(f"{_MAIN}sheet")}
    if sheet is not None and sheet not in known:
        raise FileError(f"{path}: no sheet '{sheet}'; it has {', '.join(known)}")
    target = known[sheet] if sheet is not None else next(iter(known.values()))
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _shared(book: zipfile.ZipFile) -> list[str]:
    """The workbook's shared strings."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    root = ET.fromstring(book.read("xl/sharedStrings.xml"))
    return ["".join(t.text or "" for t in item.iter(f"{_MAIN}t")) for item in root.iter(f"{_MAIN}si")]


def _value(cell: ET.Element, texts: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(t.text or "" for t in cell.iter(f"{_MAIN}t"))
    value = cell.find(f"{_MAIN}v")
    if value is None or value.text is None:
        return ""
    return texts[int(value.text)] if cell.get("t") == "s" else value.text


def _column(reference: str | None, place: int) -> int:
    """Column index: 0 for A1, 26 for AA1; the position in the row where the cell has no reference."""
    letters = re.match(r"[A-Z]+", reference or "")
    if letters is None:
        return place
    column = 0
    for letter in letters.group():
        column = column * 26 + ord(letter) - 64
    return column - 1


Row = Mapping[str, str]

# Known names of columns, by meaning.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "dist": ("dist", "dist_img", "test", "test_file", "img_distorted", "distorted", "dist_path",
             "dis_img_path", "test_path", "image", "image_name", "img", "name", "filename", "file", "path"),
    "ref": ("ref", "ref_img", "reference", "reference_file", "img_source", "ref_path", "ref_img_path",
            "reference_path", "source"),
    "mos": ("opinion", "mos", "dmos", "jod", "jnd", "subjective", "human", "mean_opinion_score"),
    "spread": ("spread", "sd", "std", "stdev", "mos_std", "dmos_std", "std_mos", "var"),
    "scene": ("scene", "content", "content_id", "img_num", "scene_id", "source_id", "ref_id"),
    "distortion": ("distortion", "dist_type", "distortion_name", "type", "dis_type", "codec", "dst_type"),
    "level": ("level", "dist_level", "dlevel", "dst_lev", "severity"),
    "low": ("low", "ci_low", "ci_min", "jod_low", "lower"),
    "high": ("high", "ci_high", "ci_max", "jod_high", "upper"),
}  # fmt: skip


def read_csv(path: Path, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a table as a list; see `iter_table`."""
    return list(iter_table(path, columns))


def iter_table(path: Path, columns: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of a CSV (or tab- or semicolon-separated) or Parquet file with a header that must hold `columns`, one by one.

    `key: value` lines before the header are skipped, as in some calibration tables. UTF-8 and UTF-16 are
    read, and decimal commas where fields are separated by semicolons or tabs.
    """
    path = local(path)
    if path.suffix.lower() == ".parquet":
        _hold(path, parquet_columns(path), columns)
        yield from parquet_rows(path)
        return
    with _opened(path) as lines, _named(path):
        first = next((line for line in lines if line.strip() and not (":" in line and "," not in line)), None)
        if first is None:
            raise FileError(f"{path}: the table is empty; expected a header and rows")
        delimiter = max(",\t;", key=first.count)
        reader = csv.DictReader(chain([first], lines), delimiter=delimiter, skipinitialspace=True)
        header = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        _hold(path, header, columns)
        for row in reader:
            if row.get(header[-1]) is None or None in row:
                raise FileError(
                    f"{path}: line {reader.line_num} does not have the {len(header)} fields of the header"
                )
            yield {k: _point(v) for k, v in row.items()} if delimiter != "," else row


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """The parser's error as one that names the file."""
    try:
        yield
    except csv.Error as wrong:
        raise FileError(f"{path}: not a table ({wrong})") from None


def _hold(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise FileError(f"{path}: no column '{missing[0]}'; the header is {','.join(header)[:200]}")


_COMMA = re.compile(r"\s*[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?\s*")


def _point(text: str) -> str:
    """A number with a decimal comma (12,5 or 1.234,5) written with a point; other text unchanged."""
    return text.replace(".", "").replace(",", ".") if _COMMA.fullmatch(text) else text


def refuse_decimal_comma(text: str, where: str) -> None:
    """Raise where fields are separated by commas and a number has one too: 1,234 might be 1.234 or 1234."""
    if _COMMA.fullmatch(text):
        raise FileError(
            f"{where}: '{text.strip()}' has a comma, as the separators have; write a decimal point, or separate "
            "the fields by semicolons or tabs"
        )


def read_words(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) of a text table with at least `count` words per line; empty lines are skipped."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        if len(words) < count:
            raise FileError(f"{path}: line {number} '{line.strip()[:60]}' has fewer than {count} fields")
        yield number, words


def read_mat(path: Path, *names: str) -> list[Any]:
    """Variables of a MATLAB file (version 5 to 7.2) as numpy arrays."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise FileError(f"{path}: MATLAB 7.3 file; save it again with -v7") from None
    except Exception as wrong:
        raise FileError(f"{path}: not a MATLAB file ({str(wrong)[:80]})") from None
    for name in names:
        if name not in content:
            held = ", ".join(sorted(key for key in content if not key.startswith("__")))
            raise FileError(f"{path}: no variable '{name}'; it holds {held}")
    return [content[name] for name in names]


def cells(array: Any) -> list[str]:
    """Texts of a MATLAB cell array of any nesting."""
    import numpy as np

    out = []
    for cell in array.ravel():
        while isinstance(cell, np.ndarray):
            cell = cell.ravel()[0] if cell.size else ""
        out.append(str(cell))
    return out


def number(text: str | float | None, where: str) -> float:
    """A finite number; FileError names the place otherwise."""
    if isinstance(text, str):
        refuse_decimal_comma(text, where)
        if not text.strip():
            raise FileError(f"{where} is empty; give the number, or remove the line")
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise FileError(f"{where}: '{text}' is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise FileError(f"{where}: {value} is not a subjective score")
    return value


def recognised_columns(header: Sequence[str], rows: Sequence[Row] = ()) -> dict[str, str]:
    """Column names by meaning, for known names: {"dist": "img_distorted", "mos": "dmos", ...}.

    A column named `distortion` that holds numbers is JPEG AIC's name for the subjective score (in just-noticeable
    differences), not a type of distortion.
    """
    by_fold = {name.casefold().strip(): name for name in header}
    found: dict[str, str] = {}
    for meaning, spellings in SPELLINGS.items():
        for spelling in spellings:
            name = by_fold.get(spelling)
            if name is None or name in found.values():
                continue
            if meaning == "distortion" and spelling == "distortion" and _numeric(rows, name):
                found.setdefault("mos", name)
                continue
            found[meaning] = name
            break
    return found


def _numeric(rows: Sequence[Row], name: str) -> bool:
    values = [row[name] for row in rows[:50] if row.get(name)]
    try:
        return bool(values) and all(float(value) == float(value) for value in values)
    except ValueError:
        return False


def _text(path: Path) -> str:
    with _opened(path) as file:
        return file.read()


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """A text file in UTF-8 or UTF-16, else Latin-1."""
    try:
        with path.open("rb") as raw:
            encoding = _encoding(raw)
        with path.open(encoding=encoding, newline="") as file:
            yield file
    except OSError as wrong:
        raise FileError(f"{path}: cannot be read ({wrong.strerror})") from None


def _encoding(raw: IO[bytes]) -> str:
    start = raw.read(2)
    raw.seek(0)
    encoding = "utf-8-sig"
    if start in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    # UTF-16 without a byte order mark
    elif start[1:2] == b"\0" or start[:1] == b"\0":
        encoding = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := raw.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return encoding
