"""hdrq merge of many brackets: a folder of folders, or a table with a column bracket."""

from __future__ import annotations

from pathlib import Path

import pytest

from hdrq import io
from hdrq.cli import main
from hdrq.errors import FileError, UsageError
from hdrq.merging.brackets import Bracket, MergeJob, brackets_of, is_of_brackets, merge_brackets
from hdrq.merging.merge import merge
from hdrq.merging.settings import Settings
from shooting import save, scene, shoot

TIMES = (1 / 8, 1 / 2, 2.0)


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    """Two brackets whose files are named by their exposure, a folder without images, and a table of both."""
    home = tmp_path_factory.mktemp("shots")
    light, lines = scene(48, 64, stops=8), ["file,bracket,seconds"]
    for n, name in enumerate(("night", "day")):
        (home / name).mkdir()
        frames = save([shoot(light, t, i + 10 * n) for i, t in enumerate(TIMES)], home / name)
        lines += [f"{name}/{Path(f).name},{name},{t}" for f, t in zip(frames, TIMES, strict=True)]
    (home / "empty").mkdir()
    (home / "table.csv").write_text("\n".join(lines) + "\n")
    return home


def at_prompt(capsys, *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["merge", *map(str, arguments)])
    return int(left.value.code or 0), capsys.readouterr().err


def test_a_table_names_brackets_frames_and_exposures(shots):
    night, day = brackets_of(shots / "table.csv")
    assert (night.name, day.name) == ("night", "day")
    assert night.seconds == TIMES
    assert night.ev is None
    assert [Path(f).parent.name for f in day.frames] == ["day"] * 3


def test_a_folder_of_folders_is_one_bracket_each(shots):
    assert is_of_brackets(shots)
    assert not is_of_brackets(shots / "night")
    assert not is_of_brackets(shots / "night" / "f0.png")
    found = brackets_of(shots)
    assert [b.name for b in found] == ["day", "night"]
    assert [Path(f).name for f in found[0].frames] == ["f0.png", "f1.png", "f2.png"]
    assert found[0].seconds is None


def test_each_bracket_is_the_merge_of_its_frames(shots, tmp_path, capsys):
    code, _ = at_prompt(capsys, shots / "table.csv", "-o", tmp_path / "out", "--align", "none")
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["day.exr", "night.exr"]
    for bracket in brackets_of(shots / "table.csv"):
        alone = merge(list(bracket.frames), times=TIMES, align="none")
        written = io.read(tmp_path / "out" / f"{bracket.name}.exr")
        assert written.pixels.equal(alone.image.pixels.float())


def test_a_bracket_that_cannot_be_merged_is_told_and_the_others_are_written(shots, tmp_path, capsys):
    code, err = at_prompt(capsys, shots, "-o", tmp_path / "out", "-q")  # the folders state no exposures
    assert code == 3
    assert len(err.splitlines()) == 2
    (tmp_path / "in" / "one").mkdir(parents=True)
    table = tmp_path / "in" / "t.csv"
    table.write_text(
        (shots / "table.csv").read_text().replace("night/f", f"{shots}/night/f").replace("day/f", "no/f")
    )
    code, err = at_prompt(capsys, table, "-o", tmp_path / "out", "-q")
    assert code == 1
    assert err.startswith("hdrq: day: ")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["night.exr"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file\na.png\n", "line 2: 'bracket' is empty or missing"),
        ("bracket,file\na,\n", "line 2: 'file' is empty"),
        ("bracket,file,iso\na,b.png,100\n", "the column 'iso'"),
        ("bracket,file,seconds\na,b.png,1\na,c.png,\n", "'seconds' for some frames only"),
        ("bracket,file\n", "no rows"),
    ],
)
def test_a_table_that_says_too_little_is_refused(tmp_path, text, says):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FileError, match=says):
        brackets_of(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "."])
def test_a_bracket_stays_in_its_folder(tmp_path, name):
    with pytest.raises(UsageError, match="without folders"):
        merge_brackets([Bracket(name, ("a.png", "b.png"))], tmp_path, Settings())


def test_two_brackets_are_not_one_file(tmp_path):
    with pytest.raises(UsageError, match="A and a would be written to the same file"):
        merge_brackets([Bracket("A", ()), Bracket("a", ())], tmp_path, Settings())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--times", "1,2,4"), "--times is for the frames of one bracket"),
        (("--exposures", "x.csv"), "--exposures is for"),
        (("--report", "r.json"), "--report is for"),
        (("--reference", "2"), "--reference names a frame"),
        (("--suffix", ".jpg"), "cannot hold radiance"),
    ],
)
def test_options_of_one_bracket_are_refused_for_many(shots, tmp_path, capsys, options, says):
    code, err = at_prompt(capsys, shots / "table.csv", "-o", tmp_path / "out", *options)
    assert code == 2
    assert says in err


def test_many_brackets_need_a_folder(shots, tmp_path, capsys):
    code, err = at_prompt(capsys, shots / "table.csv", "-o", tmp_path / "out.exr")
    assert code == 2
    assert "written to a folder" in err


def test_raw_files_beside_others_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("1.dng", "1.png"):
        (tmp_path / "a" / name).write_bytes(b"")
    with pytest.raises(UsageError, match="raw files and other images"):
        brackets_of(tmp_path)


def test_a_bracket_that_ended_its_workers_is_told():
    found = MergeJob(Path("out"), Settings()).lost(Bracket("a", ()), "3 worker processes ended")
    assert (found.error, found.target) == ("a: 3 worker processes ended", Path("out/a.exr"))
