"""A folder that cannot be read is named wherever folders are searched, and never taken as an empty one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq import io
from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, state
from hdrq.evaluation.loose_archive import loose
from hdrq.io.folders import files_below, names_in
from hdrq.io.pairing import image_files
from hdrq.merging.brackets import brackets_of
from hdrq.nn.weight_files import cards
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.resume import stamp
from hdrq.training.images.scenes import read_scenes


@pytest.fixture
def closed(tmp_path: Path, monkeypatch) -> Path:
    """A folder with one subfolder that can be listed and one that cannot, as for another user: root lists every folder."""
    root = tmp_path / "data"
    for name in ("open", "closed"):
        (root / name).mkdir(parents=True)
        io.write(root / name / f"{name}.exr", Image(torch.rand(1, 3, 8, 8), "linear"))
    (root / "scores.csv").write_text("dist,mos\nopen.exr,1\n")
    shut = root / "closed"

    def refusing(original: Callable[..., object]) -> Callable[..., object]:
        def call(place: object = ".") -> object:
            if Path(str(place)) == shut:
                raise PermissionError(13, "Permission denied", str(place))
            return original(place)

        return call

    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    return shut


SEARCHES: dict[str, Callable[[Path], object]] = {
    "images": image_files,
    "files": files_below,
    "scenes to train on": read_scenes,
    "a loose archive": lambda root: list(loose(Folder(root, "some"), ("scores.csv",))),
    "an archive": lambda root: Folder(root, "some").find("closed/closed.exr"),
    "brackets": brackets_of,
    "images to tone-map": lambda root: hdrq.tonemap_files(root, root.parent / "out"),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=list(SEARCHES))
def test_an_unreadable_subfolder_is_named(search: Callable[[Path], object], closed: Path) -> None:
    """Before: training scenes and loose archives left its files out."""
    with pytest.raises(FileError, match=f"{re.escape(str(closed))} cannot be listed: Permission denied"):
        search(closed.parent)


def test_a_dataset_or_weights_in_an_unreadable_folder_are_not_taken_as_absent(
    closed: Path, monkeypatch
) -> None:
    dataset = find("dataset", "livec")
    assert state(dataset, closed) == ("incomplete", f"{closed} cannot be listed: Permission denied")
    assert state(dataset, closed.parent / "open") == ("absent", "")
    monkeypatch.setenv("HDRQ_MODELS", str(closed))
    with pytest.raises(FileError, match="cannot be listed"):
        list(cards())


def test_the_stamp_of_a_folder_is_empty_where_a_part_of_it_cannot_be_read(closed: Path) -> None:
    assert stamp(str(closed.parent)) == ""
    assert stamp(str(closed.parent / "open")).startswith("0-0-")


def test_files_are_sorted_hidden_folders_are_left_out_and_a_missing_folder_is_empty(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", ".hidden/3.png", "b/.4.png", "c d/5.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nothing.png")
    found = [p.relative_to(tmp_path).as_posix() for p in files_below(tmp_path)]
    assert found == ["a.png", "b/.4.png", "b/1.png", "b/2.png", "c d/5.png", "lost.png"]
    assert [p.name for p in image_files(tmp_path)] == ["a.png", "1.png", "2.png", "5.png", "lost.png"]
    assert names_in(tmp_path / "b") == [".4.png", "1.png", "2.png"]
    assert names_in(tmp_path / "none") == names_in(tmp_path / "a.png") == []


def test_linked_folders_are_read_and_circles_of_links_end(tmp_path: Path) -> None:
    """Before: the images of a linked subfolder were left out unsaid, although linked files are read."""
    root, store, other = (tmp_path / name for name in ("data", "store", "other"))
    for folder in (root / "own", store / "deep", other):
        folder.mkdir(parents=True)
        (folder / "x.png").touch()
    (root / "linked").symlink_to(store)
    (root / "own" / "up").symlink_to("../..")  # contains itself
    (store / "deep" / "again").symlink_to(store)
    (store / "other").symlink_to(other)
    (other / "back").symlink_to(store)  # a circle of two
    (root / "lost").symlink_to("nothing")
    found = [p.relative_to(root).as_posix() for p in image_files(root)]
    assert found == ["linked/deep/x.png", "linked/other/x.png", "own/x.png"]
