"""No command loses what is there: rows of earlier runs, inputs, outputs that share a name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq.cli import main
from hdrq.cli._outputs import OUTPUTS
from hdrq.cli.app import command_line
from hdrq.cli.encode import encode as encode_command
from hdrq.cli.score import score as score_command
from hdrq.encoding.convert import targets
from hdrq.errors import FileError, UsageError
from hdrq.records import Image
from hdrq.scoring.batch import Settings
from hdrq.scoring.resume import Journal


def light(path: Path, seed: int) -> Path:
    random = torch.Generator().manual_seed(seed)
    hdrq.write(path, Image(5 + 90 * torch.rand(1, 3, 24, 24, generator=random)), depth="float")
    return path


def run(command, *arguments) -> None:
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="") as f:
        return {(Path(r["dist"]).name, r["metric"]): r for r in csv.DictReader(f)}


def commands(group: click.Group = command_line) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield from commands(found) if isinstance(found, click.Group) else [(name, found)]


@pytest.fixture
def three(tmp_path):
    return [light(tmp_path / f"{n}.exr", i) for i, n in enumerate("rab")]


def test_a_resumed_table_keeps_rows_that_this_call_did_not_ask_for(three, tmp_path):
    ref, a, b = three
    out = tmp_path / "scores.csv"
    run(score_command, ref, a, "-m", "pu-psnr,pu-mae", "-o", out)
    before = rows(out)
    run(score_command, ref, b, "-m", "pu-psnr", "-o", out, "--resume")
    after = rows(out)
    assert set(after) == {*before, ("b.exr", "pu21:psnr")}
    assert all(after[key]["value"] == before[key]["value"] for key in before)
    run(score_command, ref, a, "-m", "pu-psnr", "--scale", "2", "-o", out, "--resume")
    assert set(rows(out)) == set(after)
    assert rows(out)[("a.exr", "pu21:psnr")]["value"] != before[("a.exr", "pu21:psnr")]["value"]


def test_a_run_that_ended_between_its_table_and_its_journal_resumes_to_the_same_table(
    three, tmp_path, monkeypatch
):
    """Every row was written twice. A pair that is listed twice keeps its two rows, and one that failed its one."""
    ref, a, b = three
    missing = tmp_path / "missing.exr"
    lines = [f"{ref},{dist}" for dist in (a, b, a, missing)]
    (tmp_path / "pairs.csv").write_text("ref,dist\n" + "\n".join(lines) + "\n")
    out = tmp_path / "scores.csv"
    command = [score_command, "--pairs", tmp_path / "pairs.csv", "-m", "pu-psnr,pu-mae", "-o", out]
    monkeypatch.setattr("hdrq.scoring.resume.Journal.discard", lambda journal: None)

    def scored(*more: str) -> str:
        done = CliRunner().invoke(command[0], [str(c) for c in (*command[1:], *more)], catch_exceptions=False)
        assert done.exit_code == 1, done.output
        return out.read_text()

    whole = scored()
    assert whole.count("\n") == 9
    assert Path(f"{out}.part").exists()

    def again(*arguments, **keywords):
        raise AssertionError("a stored row is computed again")

    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", again)
    assert scored("--resume") == whole
    # and where the table is older than what the journal holds
    out.write_text("\n".join(whole.splitlines()[:3]) + "\n")
    assert sorted(scored("--resume").splitlines()) == sorted(whole.splitlines())


def test_rows_of_a_changed_file_that_an_interrupted_run_had_are_kept(three, tmp_path, monkeypatch):
    """Beside a table with the row of the file as it was before."""
    ref, a, _ = three
    out = tmp_path / "scores.csv"
    command = (score_command, ref, a, "-m", "pu-psnr", "-o", out)
    run(*command)
    table = out.read_text()
    light(a, 77)
    with monkeypatch.context() as patched:
        patched.setattr("hdrq.scoring.resume.Journal.discard", lambda journal: None)
        run(*command, "--resume")
    computed = rows(out)
    out.write_text(table)
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("computed again"))
    run(*command, "--resume")
    assert rows(out) == computed


def test_rows_of_files_that_changed_are_computed_again(three, tmp_path):
    ref, a, _ = three
    out = tmp_path / "scores.csv"
    run(score_command, ref, a, "-m", "pu-psnr", "-o", out)
    before = rows(out)[("a.exr", "pu21:psnr")]
    light(a, 77)
    run(score_command, ref, a, "-m", "pu-psnr", "-o", out, "--resume")
    assert rows(out)[("a.exr", "pu21:psnr")]["value"] != before["value"]


def test_rows_of_files_that_were_only_touched_are_kept(three, tmp_path, monkeypatch):
    ref, a, _ = three
    out = tmp_path / "scores.csv"
    run(score_command, ref, a, "-m", "pu-psnr", "-o", out)
    a.write_bytes(a.read_bytes())
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("was computed again"))
    run(score_command, ref, a, "-m", "pu-psnr", "-o", out, "--resume")


def test_an_output_that_cannot_be_written_is_found_before_the_first_score(three, tmp_path, monkeypatch):
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("scored first"))
    for output in (tmp_path / "none" / "scores.csv", tmp_path):
        with pytest.raises(FileError):
            run(score_command, *three[:2], "-m", "pu-psnr", "-o", output, "--format", "csv")
    with pytest.raises(FileError, match="cannot be written"):
        run(score_command, *three[:2], "-m", "pu-psnr", "--map", three[2] / "maps")


def test_an_interrupted_run_says_how_to_go_on(three, tmp_path, monkeypatch):
    def stop(*a, **k):
        raise KeyboardInterrupt

    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", stop)
    arguments = [str(x) for x in (*three[:2], "-m", "pu-psnr", "-o", tmp_path / "s.csv")]
    done = CliRunner().invoke(score_command, arguments)
    assert done.exit_code == 130
    assert "--resume" in done.output


def test_no_input_is_overwritten(three, tmp_path):
    ref, _, _ = three
    for given, out in ((ref, ref), (tmp_path, tmp_path), ([ref, three[1]], tmp_path)):
        with pytest.raises(UsageError, match="would be overwritten"):
            targets(given, out, ".exr")


@pytest.mark.parametrize("way", ["the name itself", "a hard link", "a link"])
def test_an_image_that_a_manifest_lists_is_no_output(three, tmp_path, capsys, way):
    ref, dist, _ = three
    images = {p: p.read_bytes() for p in (ref, dist)}
    out = tmp_path / "table.csv"
    if way == "the name itself":
        ref = ref.rename(tmp_path / "ref.csv")
        images = {ref: images[three[0]], dist: images[dist]}
        out = ref
    elif way == "a hard link":
        out.hardlink_to(ref)
    else:
        out.symlink_to(dist)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"ref,dist,mos\n{ref.name},{dist.name},1\n{ref.name},{ref.name},2\n")
    score = ["score", "--pairs", pairs, "-m", "pu-psnr"]
    evaluate = ["evaluate", "--dataset", "csv", "--data", pairs, "-m", "pu-psnr"]
    for command in (
        [*score, "-o", out],
        [*score, "--resume", "-o", out],
        [*evaluate, "-o", out],
        [*evaluate, "--significance", out],
    ):
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in command])
        assert stop.value.code == 2
        assert "is an input and would be overwritten" in capsys.readouterr().err
    assert all(path.read_bytes() == before for path, before in images.items())


def test_outputs_of_one_stem_are_told_apart(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    for name in ("in/x.exr", "in/x.pfm", "other/x.exr"):
        light(tmp_path / name, 1) if name.endswith("exr") else hdrq.write(
            tmp_path / name, Image(torch.rand(1, 3, 4, 4))
        )
    jobs = targets(tmp_path / "in", tmp_path / "out", "png")
    assert sorted(out.name for _, out in jobs) == ["x.exr.png", "x.pfm.png"]
    jobs = targets([tmp_path / "in" / "x.exr", tmp_path / "other" / "x.exr"], tmp_path / "out", ".png")
    assert len({out for _, out in jobs}) == 2


def test_outputs_are_told_apart_by_more_folders_and_whatever_their_case(tmp_path):
    names = ("p/1/x.exr", "q/1/x.exr", "q/1/X.exr")
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        light(tmp_path / name, seed)
    outputs = [out.name for _, out in targets([tmp_path / n for n in names], tmp_path / "out", ".png")]
    assert outputs[0].endswith("p-1-x.exr.png")
    assert len({name.casefold() for name in outputs}) == 3
    with pytest.raises(UsageError, match="given twice"):
        targets([tmp_path / names[0], tmp_path / names[0]], tmp_path / "out", ".png")


def test_no_input_is_overwritten_under_another_name(three, tmp_path):
    """A hard link, a symbolic link, a folder's link, and a name in another case where the file system ignores case."""
    ref, a, _ = three
    (tmp_path / "hard.exr").hardlink_to(ref)
    (tmp_path / "soft.exr").symlink_to(ref)
    (tmp_path / "folder").symlink_to(tmp_path)
    others = ("hard.exr", "soft.exr", "folder/r.exr", *(("R.exr",) if (tmp_path / "R.exr").exists() else ()))
    before = ref.read_bytes()
    for other in others:
        for words in (
            ("encode", ref, tmp_path / other, "--to", "pq"),
            ("tonemap", ref, tmp_path / other, "--display", "absolute"),
            ("tonemap", ref, tmp_path / other, "--compare", "gamma"),
            ("merge", ref, a, "-o", tmp_path / other, "--times", "1,2"),
            ("score", ref, a, "-m", "pu-psnr", "-o", tmp_path / other, "--format", "csv"),
            ("info", ref, "-o", tmp_path / other, "--format", "csv"),
        ):
            with pytest.raises(SystemExit) as left:
                main([str(w) for w in words])
            assert left.value.code == 2, words
    assert ref.read_bytes() == before


def test_no_table_replaces_the_file_that_it_is_made_from(three, tmp_path, capsys):
    ref, a, _ = three
    pairs, scores = tmp_path / "pairs.csv", tmp_path / "values.csv"
    pairs.write_text(f"ref,dist\n{ref},{a}\n")
    scores.write_text("dist,mos,psnr\n" + "".join(f"{i}.png,{i},{i}\n" for i in range(9)))
    held = {path: path.read_bytes() for path in (pairs, scores)}
    for words in (
        ("score", "--pairs", pairs, "-m", "pu-psnr", "-o", pairs),
        ("evaluate", "--scores", scores, "-o", scores),
        ("evaluate", "--scores", scores, "--significance", scores),
        ("table", "join", scores, "-o", scores),
        ("evaluate", "--scores", scores, "-o", tmp_path / "o.csv", "--significance", tmp_path / "o.csv"),
    ):
        with pytest.raises(SystemExit) as left:
            main([str(w) for w in words])
        assert left.value.code == 2, words
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert held == {path: path.read_bytes() for path in held}


def test_every_option_that_names_an_output_is_known_as_one():
    """An option that says that it writes a file is checked against the inputs."""
    missing = [
        (name, option.name)
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option)
        and (
            re.search(
                r"\bto (this|a) file\b|Folder for|to this folder|Write a mask of the moving",
                option.help or "",
            )
        )
        and option.name not in OUTPUTS
        and option.name != "params"  # an input, but with --optimize
    ]
    assert not missing


def test_encode_takes_several_inputs(three, tmp_path):
    run(encode_command, *three, tmp_path / "out", "--to", "pq", "--suffix", "png")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "r.png"]


def test_maps_of_test_images_that_share_a_name_do_not_overwrite_each_other(tmp_path):
    pairs = []
    for seed, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        pairs.append((light(tmp_path / f"r{seed}.exr", seed), light(tmp_path / folder / "x.exr", 10 + seed)))
    maps = tmp_path / "maps"
    done = list(hdrq.score(pairs, "pu-ssim", settings=Settings(maps=maps)))
    assert [r.status for r in done] == ["ok", "ok"]
    assert len(list(maps.glob("*.exr"))) == len(list(maps.glob("*.png"))) == 2


def test_a_map_that_cannot_be_written_costs_no_value(three, monkeypatch):
    def refuse(*a, **k):
        raise FileError("the disk is full")

    monkeypatch.setattr("hdrq.scoring.error_maps.write_map", refuse)
    (row,) = hdrq.score(three[:2], "pu-ssim", settings=Settings(maps=Path("maps")))
    assert row.status == "ok"
    assert "map not written: the disk is full" in row.how


def test_names_pair_whatever_their_unicode_form(tmp_path):
    from hdrq.io.pairing import pair_folders

    for folder, name in (("refs", "caf\u00e9"), ("dists", "cafe\u0301")):
        (tmp_path / folder).mkdir()
        light(tmp_path / folder / f"{name}.exr", 1)
    assert len(pair_folders(tmp_path / "refs", tmp_path / "dists").pairs) == 1


def test_an_underscore_is_as_good_as_a_hyphen_in_a_name():
    assert str(hdrq.metric("pu21:ms_ssim")) == "pu21:ms-ssim"


def test_a_table_below_a_file_is_refused_as_such(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file is a file, not a folder"):
        list(Journal(tmp_path / "file" / "x.csv.part").rows())


def test_every_pair_has_the_rows_that_are_wanted_of_it_where_pairs_are_read_ahead(three):
    """Each pair of another metric, also where no metric reads references."""
    ref, *tests = three
    pairs = [(ref, ref), *((ref, test) for test in tests)]
    for texts in (["pu-psnr", "pu-mae", "pu-mse"], ["pu21:niqe", "pu21:brisque", "pu21:piqe"]):
        wanted = dict(zip(map(str, (ref, *tests)), [str(hdrq.metric(t)) for t in texts], strict=True))
        found = hdrq.score(
            pairs,
            texts,
            settings=Settings(jobs=3),
            skip=lambda pair, metric, wanted=wanted: wanted[str(pair.dist)] != metric,
        )
        assert [(row.dist, row.metric) for row in found] == list(wanted.items())
