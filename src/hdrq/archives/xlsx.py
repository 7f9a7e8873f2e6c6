"""Rows of an Excel workbook's sheet. An .xlsx is a zip of XML: values and shared texts suffice.

Source  ECMA-376 part 1, 18.3 (worksheets) and 18.4 (shared strings)
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from hdrq.errors import FileError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"


def read_xlsx(path: Path, sheet: str | None = None, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Rows below the first row that holds all of `columns` (letter case aside), as texts by column name.

    sheet  its name; the first one when None
    """
    grid = _grid(path, sheet)
    wanted = {name.casefold() for name in columns}
    for i, row in enumerate(grid):
        names = {text.strip().casefold(): column for column, text in row.items() if text.strip()}
        if names and wanted <= set(names):
            header = {column: row[column].strip() for column in names.values()}
            rows = ({name: below.get(c, "") for c, name in header.items()} for below in grid[i + 1 :])
            return [r for r in rows if any(r.values())]
    raise FileError(f"{path}: no row names the columns {', '.join(columns)}")


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
    """The workbook's shared texts."""
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
    """0 for A1, 26 for AA1; its place in the row where the cell has no reference."""
    letters = re.match(r"[A-Z]+", reference or "")
    if letters is None:
        return place
    column = 0
    for letter in letters.group():
        column = column * 26 + ord(letter) - 64
    return column - 1
