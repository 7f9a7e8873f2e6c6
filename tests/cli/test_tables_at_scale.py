"""Tables of any length: streamed, as CSV, JSON, JSON lines or Parquet, and joined from shards."""

from __future__ import annotations

import csv
import gc
import json
import tracemalloc
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq.cli.score import score as score_command
from hdrq.cli.table import table as table_command
from hdrq.cluster.shards import Shard, join_tables
from hdrq.encoding.photometry import Photometry
from hdrq.errors import FileError, UsageError
from hdrq.io.manifest import Manifest
from hdrq.io.rows import parquet_rows, read_rows, text_of, typed, written
from hdrq.records import Image, Pair, Score
from hdrq.scoring.batch import Settings
from hdrq.scoring.resume import EarlierRows
from hdrq.scoring.run import Run

METRICS = "pu-psnr,pu-mae"


def light(path: Path, seed: int) -> Path:
    random = torch.Generator().manual_seed(seed)
    hdrq.write(path, Image(5 + 90 * torch.rand(1, 3, 16, 16, generator=random)), depth="float")
    return path


def run(command, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Path:
    """A manifest of seven pairs, the third of which cannot be read."""
    home = tmp_path_factory.mktemp("pairs")
    light(home / "r.exr", 0)
    lines = ["ref,dist,note"]
    for i in range(7):
        light(home / f"d{i}.exr", i + 1)
        lines.append(f'r.exr,d{i}.exr,"no, {i}"')
    (home / "d2.exr").write_bytes(b"")
    (home / "list.csv").write_text("\n".join(lines) + "\n")
    return home / "list.csv"


def shards(listed: Path, folder: Path, of: int, *more: object, suffix: str = ".csv") -> list[Path]:
    parts = [folder / f"part{k}{suffix}" for k in range(1, of + 1)]
    for k, part in enumerate(parts, 1):
        code = 1 if k == (2 % of) + 1 else 0  # the shard of the third pair has failed rows
        run(
            score_command,
            "--pairs",
            listed,
            "-m",
            METRICS,
            "--shard",
            f"{k}/{of}",
            "-o",
            part,
            *more,
            code=code,
        )
    return parts


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet"])
def test_shards_join_to_the_file_of_one_run(listed, tmp_path, suffix):
    whole, joined = tmp_path / f"whole{suffix}", tmp_path / f"joined{suffix}"
    run(score_command, "--pairs", listed, "-m", METRICS, "-o", whole, code=1)
    parts = shards(listed, tmp_path, 3, suffix=suffix)
    assert [len(list(read_rows(p))) for p in parts] == [6, 4, 4]
    run(table_command, "join", *reversed(parts), "-o", joined)
    assert joined.read_bytes() == whole.read_bytes()


def test_sixteen_shards_join_to_the_file_of_one_run(listed, tmp_path):
    lines = listed.read_text().splitlines()
    many = listed.with_name("many.csv")
    many.write_text(
        "\n".join([lines[0], *(lines[1:2] + lines[4:]) * 11][:41]) + "\n"
    )  # 40 pairs, which all can be read
    whole, joined = tmp_path / "whole.csv", tmp_path / "joined.csv"
    run(score_command, "--pairs", many, "-m", METRICS, "-o", whole)
    parts = []
    for k in range(1, 17):
        parts.append(tmp_path / f"part{k}.csv")
        run(score_command, "--pairs", many, "-m", METRICS, "--shard", f"{k}/16", "-o", parts[-1])
    assert [len(list(read_rows(p))) for p in parts] == [6] * 8 + [4] * 8
    run(table_command, "join", *parts, "-o", joined)
    assert joined.read_bytes() == whole.read_bytes()
    with pytest.raises(UsageError, match="missing shards 2/16, 9/16; score them with --shard and join again"):
        join_tables([p for k, p in enumerate(parts, 1) if k not in (2, 9)])
    with pytest.raises(UsageError, match=r"part16\.csv and .*part16\.csv are both shard 16/16"):
        join_tables([*parts, parts[15]])


def test_more_shards_than_pairs_join_too(listed, tmp_path):
    whole, joined = tmp_path / "whole.csv", tmp_path / "joined.csv"
    run(score_command, "--pairs", listed, "-m", METRICS, "-o", whole, code=1)
    parts = []
    for k in range(1, 10):
        parts.append(tmp_path / f"p{k}.csv")
        run(
            score_command,
            "--pairs",
            listed,
            "-m",
            METRICS,
            "--shard",
            f"{k}/9",
            "-o",
            parts[-1],
            code=3 * (k == 3),
        )
    assert len(list(read_rows(parts[8]))) == 0
    run(table_command, "join", *parts, "-o", joined)
    assert joined.read_bytes() == whole.read_bytes()


def test_a_shard_that_is_missing_doubled_foreign_or_unfinished_is_named(listed, tmp_path):
    parts = shards(listed, tmp_path, 3)
    with pytest.raises(UsageError, match="missing shard 2/3"):
        join_tables([parts[0], parts[2]])
    twin = tmp_path / "twin.csv"
    twin.write_bytes(parts[1].read_bytes())
    with pytest.raises(UsageError, match=r"part2\.csv and .*twin\.csv are both shard 2/3"):
        join_tables([*parts, twin])

    def foreign(name: str, *arguments: object, code: int = 0) -> Path:
        run(score_command, *arguments, "-o", tmp_path / name, code=code)
        return tmp_path / name

    scaled = foreign("scaled.csv", "--pairs", listed, "-m", METRICS, "--shard", "2/3", "--scale", "2")
    with pytest.raises(
        UsageError, match=r"scaled\.csv belongs to another run than .*part1\.csv: .*other settings"
    ):
        join_tables([parts[0], scaled, parts[2]])
    metric = foreign("metric.csv", "--pairs", listed, "-m", "pu-psnr,pu-mse", "--shard", "2/3")
    with pytest.raises(UsageError, match=r"metric\.csv .* other metrics"):
        join_tables([parts[0], metric, parts[2]])
    shorter = listed.with_name("shorter.csv")
    shorter.write_text("\n".join(listed.read_text().splitlines()[:-1]) + "\n")
    other = foreign("other.csv", "--pairs", shorter, "-m", METRICS, "--shard", "2/3")
    with pytest.raises(UsageError, match=r"other\.csv .* another list of pairs"):
        join_tables([parts[0], other, parts[2]])
    halves = foreign("halves.csv", "--pairs", listed, "-m", METRICS, "--shard", "2/2")
    with pytest.raises(UsageError, match=r"halves\.csv .* shard 2/2, and the others are of 3"):
        join_tables([parts[0], halves, parts[2]])
    plain = foreign("plain.csv", "--pairs", listed, "-m", METRICS, code=1)
    with pytest.raises(UsageError, match=r"plain\.csv is not the table of a shard"):
        join_tables([*parts, plain])

    older = tmp_path / "older.csv"
    older.write_text(parts[1].read_text().replace(f",{hdrq.__version__},", ",0.0.9,"))
    with pytest.raises(UsageError, match=r"older\.csv .* hdrq 0\.0\.9 made it"):
        join_tables([parts[0], older, parts[2]])
    lines = parts[0].read_text().splitlines()
    for name, kept, says in (
        ("cut", lines[:-1], "holds 5 of 6 rows of shard 1/3"),
        ("gap", [*lines[:3], *lines[5:]], "pair 4 of 7 are missing or out of order"),
        ("swapped", [lines[0], lines[1], lines[2], lines[4], lines[3], *lines[5:]], "out of order"),
        ("mixed", [*lines, *parts[1].read_text().splitlines()[1:]], "mixes rows of several shards"),
    ):
        torn = tmp_path / f"{name}.csv"
        torn.write_text("\n".join(kept) + "\n")
        with pytest.raises(UsageError, match=says):
            join_tables([torn, *parts[1:]])
    assert not list(tmp_path.glob("joined*"))


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_shard_is_number_of_count(text):
    with pytest.raises(UsageError, match="such as 3/16"):
        Shard.parse(text)


def test_every_pair_is_in_one_shard():
    pairs = [Pair(dist=str(i)) for i in range(10)]
    found = [list(Shard(k, 4).share(pairs)) for k in (1, 2, 3, 4)]
    assert [p.dist for p in found[2]] == ["2", "6"]
    assert [len(Shard(k, 4).share(pairs)) for k in (1, 2, 3, 4)] == list(map(len, found)) == [3, 3, 2, 2]
    assert Shard(3, 4).marks(1, 10, "x") == {"shard": "3/4", "shard_pair": "7/10", "shard_run": "x"}


def test_a_manifest_may_be_parquet(listed, tmp_path):
    rows = list(csv.DictReader(listed.open()))
    with written(listed.with_name("list.parquet"), "parquet", ["ref", "dist", "note"]) as add:
        for row in rows:
            add(row)
    outs = []
    for name in ("list.csv", "list.parquet"):
        outs.append(tmp_path / f"{name}.out.csv")
        run(score_command, "--pairs", listed.with_name(name), "-m", METRICS, "-o", outs[-1], code=1)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    listed.with_name("bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(FileError, match=r"bad\.parquet cannot be read as a Parquet file"):
        Manifest(listed.with_name("bad.parquet"))


def test_parquet_holds_what_csv_holds(listed, tmp_path):
    for name in ("a.csv", "a.parquet"):
        run(score_command, "--pairs", listed, "-m", METRICS, "-o", tmp_path / name, code=1)
    held, texts = list(parquet_rows(tmp_path / "a.parquet")), list(read_rows(tmp_path / "a.csv"))
    assert held == texts
    columns = list(texts[0])
    assert text_of(map(typed, held), "csv", columns) == (tmp_path / "a.csv").read_text()
    import pyarrow.parquet as pq

    schema = pq.read_schema(tmp_path / "a.parquet")
    assert (str(schema.field("value").type), str(schema.field("dist").type)) == ("double", "string")


def test_rows_read_back_are_rows():
    row = {"value": float("inf"), "extra": {"a": 0.1}, "dist": "x", "error": ""}
    for format in ("csv", "jsonl"):
        text = text_of([row], format, list(row))
        back = next(csv.DictReader(text.splitlines())) if format == "csv" else json.loads(text)
        assert typed(back) == row
    assert typed({"value": "", "extra": ""}) == {"value": None, "extra": {}}


def test_a_torn_manifest_is_refused_before_the_first_score(listed, monkeypatch):
    torn = listed.with_name("torn.csv")
    torn.write_text(listed.read_text() + "r.exr\n")
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("scored first"))
    with pytest.raises(FileError, match="line 9: the row and the header have different numbers of cells"):
        run(score_command, "--pairs", torn, "-m", METRICS)


def test_an_interrupted_run_with_a_failed_pair_resumes_to_the_file_of_one_run(listed, tmp_path):
    whole, again = tmp_path / "whole.csv", tmp_path / "again.csv"
    run(score_command, "--pairs", listed, "-m", METRICS, "-o", whole, code=1)
    journal = tmp_path / "again.csv.part"
    kept = [row for row in map(typed, read_rows(whole)) if row["status"] == "ok"]
    journal.write_text("".join(json.dumps(row) + "\n" for row in reversed(kept[:9])))
    run(score_command, "--pairs", listed, "-m", METRICS, "-o", again, "--resume", code=1)
    assert again.read_bytes() == whole.read_bytes()


def test_a_pair_that_is_listed_twice_has_two_rows_and_its_own_settings(listed, tmp_path):
    twice, out = listed.with_name("twice.csv"), tmp_path / "twice.csv"
    twice.write_text("ref,dist,scale\nr.exr,d0.exr,1\nr.exr,d0.exr,3\nr.exr,d0.exr,1\n")
    run(score_command, "--pairs", twice, "-m", "pu-psnr", "-o", out)
    first = out.read_bytes()
    values = [row["value"] for row in read_rows(out)]
    assert values[0] == values[2] != values[1]
    run(score_command, "--pairs", twice, "-m", "pu-psnr", "-o", out, "--resume")
    assert out.read_bytes() == first
    twice.write_text("ref,dist,scale\nr.exr,d0.exr,9\nr.exr,d0.exr,3\nr.exr,d0.exr,1\n")
    run(score_command, "--pairs", twice, "-m", "pu-psnr", "-o", out, "--resume")
    changed = [row["value"] for row in read_rows(out)]
    assert len(changed) == 3
    assert changed[0] not in values
    assert changed[1:] == values[1:]


def test_rows_of_metrics_without_reference_are_kept_although_the_manifest_has_references(
    listed, tmp_path, monkeypatch
):
    one, out = listed.with_name("one.csv"), tmp_path / "one.csv"
    big = light(listed.with_name("big.exr"), 3)
    hdrq.write(big, Image(5 + 90 * torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(1))))
    one.write_text("ref,dist\nr.exr,big.exr\n")
    run(score_command, "--pairs", one, "-m", "pu-niqe", "-o", out)
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("was computed again"))
    run(score_command, "--pairs", one, "-m", "pu-niqe", "-o", out, "--resume")


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    held = []

    def hold(count: int) -> int:
        """Bytes that are in use when the last row is made."""
        path, out = tmp_path / f"{count}.csv", tmp_path / f"{count}.jsonl"
        with path.open("w") as file:
            file.write("ref,dist,tag\n")
            file.writelines(f"refs/{i}.exr,dists/{i}.exr,{i}\n" for i in range(count))

        def compute(items):
            for number, item in enumerate(items, 1):
                if number == count:
                    gc.collect()
                    held.append(tracemalloc.get_traced_memory()[0])
                pair = item.pair
                yield Score(str(pair.ref), str(pair.dist), item.metrics[0], 1.5, carried=pair.carried), ""

        tracemalloc.start()
        run = Run(("pu21:psnr",), True, Photometry(), Settings(), EarlierRows(str(out), False))
        with written(out, "jsonl", ["dist", "value"]) as add:
            for _, row, _ in run.rows(Manifest(path), compute):
                add(row)
        tracemalloc.stop()
        assert len(out.read_text().splitlines()) == count
        return held.pop()

    hold(50)
    # a row takes more than a kilobyte; pathlib of Python 3.12 keeps 50 bytes of every name for good
    assert hold(3000) < hold(300) + 300_000


def test_evaluate_reads_scores_from_parquet_as_from_csv(tmp_path):
    from hdrq.cli.evaluate import evaluate as evaluate_command

    random = torch.Generator().manual_seed(0)
    columns = ["dist", "metric", "value", "better", "mos", "scene", "status"]
    rows = []
    for i in range(60):
        mos = float(torch.rand((), generator=random))
        for metric in ("a", "b"):
            value = mos + float(torch.rand((), generator=random))
            rows.append({"dist": f"d{i}.png", "metric": metric, "value": value, "better": "higher", "mos": f"{mos}",
                         "scene": f"s{i % 12}", "status": "ok"})  # fmt: skip
    rows.append(rows[-1] | {"dist": "broken.png", "value": None, "status": "failed"})
    tables = []
    for suffix in ("csv", "parquet"):
        with written(tmp_path / f"scores.{suffix}", suffix, columns) as add:
            for row in rows:
                add(row)
        tables.append(
            run(evaluate_command, "--scores", tmp_path / f"scores.{suffix}", "--higher", "--format", "csv")
        )
    assert tables[0] == tables[1]
    assert ",60," in tables[0]
    wide = [{"dist": r["dist"], "mos": r["mos"], "a": repr(r["value"])} for r in rows[:40:2]]
    with written(tmp_path / "wide.parquet", "parquet", ["dist", "mos", "a"]) as add:
        for row in wide:
            add(row)
    assert ",20," in run(
        evaluate_command, "--scores", tmp_path / "wide.parquet", "--higher", "--format", "csv"
    )


def test_scores_of_a_dataset_may_be_kept_in_parquet(listed, tmp_path):
    from hdrq.cli.evaluate import evaluate as evaluate_command

    judged = listed.with_name("judged.csv")
    judged.write_text(
        "ref,dist,mos,scene\n" + "".join(f"r.exr,d{i}.exr,{i},s{i}\n" for i in (0, 1, 3, 4, 5, 6))
    )
    arguments = (
        "--dataset",
        "csv",
        "--data",
        judged,
        "-m",
        "pu-psnr",
        "--higher",
        "--draws",
        0,
        "--format",
        "csv",
    )
    first = run(evaluate_command, *arguments, "--scores", tmp_path / "s.parquet")
    assert [r["metric"] for r in parquet_rows(tmp_path / "s.parquet")] == ["pu21:psnr"] * 6
    before = (tmp_path / "s.parquet").stat().st_mtime_ns
    again = run(evaluate_command, *arguments, "--scores", tmp_path / "s.parquet")
    figures = [[line for line in said.splitlines() if line.startswith("judged,")] for said in (first, again)]
    assert figures[0] == figures[1] != []
    assert (tmp_path / "s.parquet").stat().st_mtime_ns == before


def test_columns_of_the_manifest_are_carried_whatever_their_name(listed, tmp_path):
    named = listed.with_name("named.csv")
    named.write_text("ref,dist,run,shard,pair\nr.exr,d0.exr,a,b,c\n")
    for _ in range(2):
        run(score_command, "--pairs", named, "-m", "pu-psnr", "-o", tmp_path / "o.csv", "--resume")
        row = next(read_rows(tmp_path / "o.csv"))
        assert (row["run"], row["shard"], row["pair"]) == ("a", "b", "c")
    with pytest.raises(UsageError, match="has a column 'shard', which --shard writes"):
        run(score_command, "--pairs", named, "-m", "pu-psnr", "--shard", "1/2", "-o", tmp_path / "p.csv")
    part = tmp_path / "part.csv"
    for _ in range(2):
        run(score_command, "--pairs", listed, "-m", "pu-psnr", "--shard", "1/4", "-o", part, "--resume")
        assert list(next(read_rows(part)))[-3:] == ["shard", "shard_pair", "shard_run"]
