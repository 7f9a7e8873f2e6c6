"""hdrq score and encode from the prompt: what is printed, where it goes, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.records import BT2020, Image


def scene(seed: int = 0, height: int = 48, width: int = 64) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.5, 400, width).expand(1, 3, height, width)
    return ramp * (0.8 + 0.4 * torch.rand(1, 3, height, width, generator=g))


def noisy(x: torch.Tensor, amount: float) -> torch.Tensor:
    return x * (1 + amount * torch.randn(x.shape, generator=torch.Generator().manual_seed(9))).clamp(min=0.1)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    ref, dist = tmp_path / "ref.exr", tmp_path / "dist.exr"
    x = scene()
    hdrq.write(ref, Image(x))
    hdrq.write(dist, Image(noisy(x, 0.1)))
    return ref, dist


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_two_files_give_a_row_per_metric_that_says_how_it_was_made(run, pair) -> None:
    code, out, err = run("score", *pair, "-m", "pu-psnr,pu-ssim", "-m", "pq-psnr")
    assert (code, err) == (0, "")
    found = rows(out)
    assert [r["metric"] for r in found] == ["pu21:psnr", "pu21:ssim", "pq:psnr"]
    ours = hdrq.metric("pu-psnr")(hdrq.read(pair[0]), hdrq.read(pair[1]))
    assert float(found[0]["value"]) == pytest.approx(ours.item(), rel=1e-6)
    assert found[0]["display"] == "absolute"
    assert found[0]["version"] == hdrq.__version__
    assert found[0]["unit"] == "dB"


def test_the_table_is_for_people(run, pair) -> None:
    code, out, _ = run("score", *pair, "-m", "pu-psnr", "--format", "table")
    assert code == 0
    assert "pu21:psnr" in out
    assert "dB" in out
    assert "dist.exr" in out


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl"])
def test_outputs_agree_whatever_their_format(run, pair, tmp_path, suffix: str) -> None:
    file = tmp_path / f"out.{suffix}"
    code, out, _ = run("score", *pair, "-m", "pu-psnr", "-o", file)
    assert (code, out) == (0, "")
    text = file.read_text()
    found = {
        "csv": lambda: rows(text),
        "json": lambda: json.loads(text),
        "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
    }[suffix]()
    assert found[0]["metric"] == "pu21:psnr"
    assert float(found[0]["value"]) == pytest.approx(
        hdrq.metric("pu-psnr")(*map(hdrq.read, pair)).item(), rel=1e-6
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dist.exr", f"out.{suffix}", "ref.exr"]


def test_folders_pair_by_name_whatever_the_extension_and_name_the_lonely(run, tmp_path) -> None:
    for i in range(3):
        x = scene(i)
        for folder in ("a", "b"):
            (tmp_path / folder / "deep").mkdir(parents=True, exist_ok=True)
        hdrq.write(tmp_path / "a" / "deep" / f"s{i}.exr", Image(x))
        if i < 2:
            hdrq.write(tmp_path / "b" / "deep" / f"s{i}.hdr", Image(noisy(x, 0.05)))
    hdrq.write(tmp_path / "b" / "extra.exr", Image(scene(5)))
    code, out, err = run("score", tmp_path / "a", tmp_path / "b", "-m", "pu-psnr")
    assert code == 1
    assert [Path(r["dist"]).name for r in rows(out)] == ["s0.hdr", "s1.hdr"]
    assert "s2.exr: no matching image" in err
    assert "extra.exr: no matching image" in err


def test_a_manifest_is_relative_to_itself_and_carries_its_columns(run, pair, tmp_path, monkeypatch) -> None:
    file = tmp_path / "list.csv"
    file.write_text("ref,dist,scene,note\nref.exr,dist.exr,hall,first\n")
    monkeypatch.chdir(tmp_path.parent)
    code, out, _ = run("score", "--pairs", file, "-m", "pu-psnr")
    assert code == 0
    assert (rows(out)[0]["scene"], rows(out)[0]["note"]) == ("hall", "first")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["ref,dist", '"ref","dist"'])
def test_a_manifest_may_come_from_stdin(run, pair, monkeypatch, mark, header) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{mark}{header}\n{pair[0]},{pair[1]}\n"))
    code, out, _ = run("score", "--pairs", "-", "-m", "pu-psnr")
    assert code == 0
    assert len(rows(out)) == 1


def test_a_batch_reports_the_bad_file_and_goes_on(run, pair, tmp_path) -> None:
    (tmp_path / "empty.exr").write_bytes(b"")
    file = tmp_path / "list.csv"
    file.write_text("ref,dist\nref.exr,empty.exr\nref.exr,dist.exr\nref.exr,none.exr\n")
    code, out, err = run("score", "--pairs", file, "-m", "pu-psnr,pu-ssim")
    assert code == 1
    assert [r["status"] for r in rows(out)] == ["failed"] * 2 + ["ok"] * 2 + ["failed"] * 2
    assert len(err.splitlines()) == 2
    assert "empty.exr is empty" in err
    assert "none.exr does not exist" in err
    code, out, err = run("score", "--pairs", file, "-m", "pu-psnr", "--fail-fast")
    assert (code, out) == (3, "")


def broken(kind: str, folder: Path, pair: tuple[Path, Path]) -> list[object]:
    """Arguments after `score` for one way to go wrong."""
    ref, _ = pair
    bad = folder / "bad.exr"
    if kind == "truncated":
        bad.write_bytes(ref.read_bytes()[:400])
    elif kind == "text":
        bad.write_text("hello")
    elif kind == "sizes":
        hdrq.write(bad, Image(scene(height=40)))
    elif kind == "channels":
        hdrq.write(bad, Image(scene()[:, :1]))
    elif kind == "nan":
        x = scene()
        x[0, 1, 3, 4] = float("nan")
        hdrq.write(bad, Image(x))
    elif kind == "small":
        hdrq.write(bad, Image(scene(height=8, width=8)))
        return [bad, bad, "-m", "pu-ms-ssim"]
    elif kind == "folder":
        bad.mkdir()
    return [ref, bad, "-m", "pu-psnr"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "does not exist"),
        ("truncated", "bad.exr"),
        ("text", "bad.exr"),
        ("sizes", "64x48 but .*64x40"),
        ("channels", "has 3 channels and .* has 1"),
        ("nan", "1 NaN .* row 3, column 4"),
        ("small", "8x8.*pixels per side"),
    ],
)
def test_a_bad_input_is_one_line_and_exit_3(run, pair, tmp_path, kind: str, says: str) -> None:
    import re

    code, out, err = run("score", *broken(kind, tmp_path, pair))
    assert code == 3
    assert rows(out)[0]["status"] == "failed"
    assert len(err.splitlines()) == 1, err
    assert re.search(says, err)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-m", "ssim"], "write pu21:ssim or pq:ssim"),
        (["-m", "pu-ssmi"], "did you mean"),
        (["-m", "pu-ssim,variant=best"], "is not one of matlab"),
        (["-m", "pu-ssim,range=wide"], "is not a number"),
        (["-m", "pu-psnr", "--display", "sdrr"], "did you mean sdr"),
        (["-m", "pu-psnr", "--scale", "-1"], "positive"),
        (["-m", "pu-psnr", "--scale", "1", "--peak", "2"], "give only one"),
        (["-m", "pu-psnr", "--ppd", "0"], "positive"),
        (["-m", "pu-psnr", "--screen", "3840x2160"], "must be given together"),
        (["-m", "pu-psnr", "--ambient", "5"], "modify a --display"),
        (["-m", "pu-psnr", "--device", "tpu"], "device"),
        (["-m", "pu-psnr", "--resume"], "needs -o"),
        (["-m", "pu-psnr", "-o", "x.doc"], "unknown suffix"),
        (["-m", "pu-psnr", "--nosuch"], "No such option"),
        ([], "no metric is given"),
    ],
)
def test_an_impossible_request_is_one_line_and_exit_2(run, pair, arguments: list[str], says: str) -> None:
    code, out, err = run("score", *pair, *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert says in err


def test_output_that_cannot_be_written_is_one_line(run, pair, tmp_path) -> None:
    code, _, err = run("score", *pair, "-m", "pu-psnr", "-o", tmp_path / "no" / "out.csv")
    assert code == 3
    assert "does not exist" in err or "No such" in err


def test_debug_shows_where_an_error_comes_from(pair) -> None:
    arguments = [sys.executable, "-m", "hdrq", "score", *map(str, pair), "-m", "nope", "--debug"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_relative_light_and_negatives_are_said_on_stderr(run, tmp_path) -> None:
    x = scene() / 400
    x[0, 0, 0, 0] = -0.2
    for name in ("r.exr", "d.exr"):
        hdrq.write(tmp_path / name, Image(x))
    code, out, err = run("score", tmp_path / "r.exr", tmp_path / "d.exr", "-m", "pu-mae")
    assert code == 0
    assert "seems to be relative" in err
    assert "--scale, --peak or --white" in err
    assert "1 negative values" in err
    assert "negative" in rows(out)[0]["how"]
    _, _, quiet = run("score", tmp_path / "r.exr", tmp_path / "d.exr", "-m", "pu-mae", "--peak", "1000")
    assert "seems to be relative" not in quiet


def test_chromaticities_change_the_score(run, tmp_path) -> None:
    x = scene()
    for name, primaries in (("w", BT2020), ("n", None)):
        extra = {"primaries": primaries} if primaries else {}
        hdrq.write(tmp_path / f"{name}r.exr", Image(x, **extra))
        hdrq.write(tmp_path / f"{name}d.exr", Image(noisy(x, 0.1), **extra))
    values = [
        float(
            rows(run("score", tmp_path / f"{n}r.exr", tmp_path / f"{n}d.exr", "-m", "pu-psnr")[1])[0]["value"]
        )
        for n in "wn"
    ]
    assert abs(values[0] - values[1]) > 0.01


def test_sdr_code_is_scored_as_stored_or_through_a_display(run, tmp_path) -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    hdrq.write(tmp_path / "r.png", Image(x, "srgb"))
    hdrq.write(tmp_path / "d.png", Image((x + 0.05).clamp(0, 1), "srgb"))
    _, out, _ = run("score", tmp_path / "r.png", tmp_path / "d.png", "-m", "psnr,srgb:psnr,pu-psnr")
    stored, named, lit = rows(out)
    assert stored["value"] == named["value"]
    assert stored["display"] == "code as stored"
    assert lit["display"] == "sdr"


def test_matching_the_response_forgives_an_exposure(run, pair, tmp_path) -> None:
    dim = tmp_path / "dim.exr"
    hdrq.write(dim, Image(hdrq.read(pair[0]).pixels * 0.5))
    plain, matched = (
        float(rows(run("score", pair[0], dim, "-m", "pu-psnr", *extra)[1])[0]["value"])
        for extra in ([], ["--match-response"])
    )
    assert matched > plain + 20


def test_maps_are_numbers_and_a_picture(run, pair, tmp_path) -> None:
    maps = tmp_path / "maps"
    code, _, _ = run("score", *pair, "-m", "pu-ssim", "--map", maps)
    assert code == 0
    names = sorted(p.name for p in maps.iterdir())
    assert names == ["dist.pu21_ssim.exr", "dist.pu21_ssim.png"]
    numbers = hdrq.read(maps / names[0])
    reading = hdrq.metric("pu-ssim").read(*map(hdrq.read, pair))
    assert torch.allclose(numbers.pixels[:, :1], reading.map, atol=1e-6)
    assert min(hdrq.read(maps / names[1]).size) > 48


def test_jobs_and_order_do_not_matter(run, tmp_path) -> None:
    lines = ["ref,dist"]
    for i in range(6):
        hdrq.write(tmp_path / f"r{i}.exr", Image(scene(i)))
        hdrq.write(tmp_path / f"d{i}.exr", Image(noisy(scene(i), 0.02 * (i + 1))))
        lines.append(f"r{i}.exr,d{i}.exr")
    file = tmp_path / "l.csv"
    file.write_text("\n".join(lines))
    outs = [run("score", "--pairs", file, "-m", "pu-psnr", "--jobs", j)[1] for j in (1, 4)]
    assert outs[0] == outs[1]
    assert [Path(r["dist"]).name for r in rows(outs[0])] == [f"d{i}.exr" for i in range(6)]
    _, best_first, _ = run("score", "--pairs", file, "-m", "pu-psnr", "--sort")
    assert [Path(r["dist"]).name for r in rows(best_first)] == [f"d{i}.exr" for i in range(6)]


def test_a_killed_batch_resumes_to_the_same_file(tmp_path) -> None:
    lines = ["ref,dist,tag"]
    hdrq.write(tmp_path / "r.exr", Image(scene()))
    for i in range(200):
        hdrq.write(tmp_path / f"d{i}.pfm", Image(noisy(scene(), 0.001 * (i + 1))))
        lines.append(f"r.exr,d{i}.pfm,t{i}")
    manifest = tmp_path / "l.csv"
    manifest.write_text("\n".join(lines))
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"

    def start(output: Path, *more: str) -> subprocess.Popen:
        command = [
            sys.executable,
            "-m",
            "hdrq",
            "score",
            "--pairs",
            manifest,
            "-m",
            "pu-psnr,pu-ssim",
            "-o",
            output,
        ]
        return subprocess.Popen([*map(str, command), *more], stderr=subprocess.PIPE)

    assert start(once).wait() == 0
    journal = Path(f"{twice}.part")
    process = start(twice)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not journal.exists() or journal.read_text().count("\n") < 40):
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not twice.exists()
    kept = journal.read_text().count("\n")
    assert 40 <= kept < 400
    journal.write_text(journal.read_text() + '{"ref": "torn')
    refused = start(twice)
    assert refused.wait() == 2
    said = refused.stderr.read()
    assert b"add --resume" in said
    assert b"remove it if no run writes it" in said
    assert start(twice, "--resume").wait() == 0
    assert twice.read_bytes() == once.read_bytes()
    assert not journal.exists()


def test_resume_keeps_good_rows_and_computes_the_rest(run, pair, tmp_path) -> None:
    out = tmp_path / "o.csv"
    run("score", *pair, "-m", "pu-psnr", "-o", out)
    text = out.read_text().replace(rows(out.read_text())[0]["value"], "12.5")
    out.write_text(text)
    code, _, _ = run("score", *pair, "-m", "pu-psnr,pu-ssim", "-o", out, "--resume")
    assert code == 0
    assert rows(out.read_text())[0]["value"] == "12.5"
    run("score", *pair, "-m", "pu-psnr", "-o", out, "--resume", "--display", "hdr-pq-1000")
    assert rows(out.read_text())[0]["value"] != "12.5"


@pytest.mark.parametrize("encoding", ["pu21", "pq", "mu", "log10"])
def test_encode_and_decode_give_the_light_back(run, pair, tmp_path, encoding: str) -> None:
    code, light = tmp_path / "code.exr", tmp_path / "light.exr"
    assert run("encode", pair[0], code, "--to", encoding)[0] == 0
    assert run("encode", code, light, "--to", encoding, "--decode")[0] == 0
    a, b = hdrq.read(pair[0]).pixels, hdrq.read(light).pixels
    assert ((a - b).abs() / a).max() < 0.02  # two roundings to half


def test_pq_in_a_png_says_so_and_comes_back(run, pair, tmp_path) -> None:
    png, back = tmp_path / "c.png", tmp_path / "b.exr"
    assert run("encode", pair[0], png, "--to", "pq")[0] == 0
    image = hdrq.read(png)
    assert (image.domain, image.bits) == ("pq", 16)
    assert run("encode", png, back, "--decode")[0] == 0
    a, b = hdrq.read(pair[0]).pixels, hdrq.read(back).pixels
    assert ((a - b).abs() / a).max() < 0.005


def test_a_folder_is_encoded_file_by_file(run, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(2):
        hdrq.write(tmp_path / "in" / f"{i}.exr", Image(scene(i)))
    (tmp_path / "in" / "bad.exr").write_text("no")
    code, _, err = run("encode", tmp_path / "in", tmp_path / "out", "--to", "pq", "--suffix", ".png")
    assert code == 1
    assert "bad.exr" in err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]


def test_clipping_is_said(run, pair, tmp_path) -> None:
    code, _, err = run("encode", pair[0], tmp_path / "s.png", "--to", "srgb")
    assert code == 0
    assert "clip" in err


def test_list_tells_what_there_is(run) -> None:
    for shelf, word in (
        ("metrics", "psnr"),
        ("encodings", "pu21"),
        ("displays", "sdr"),
        ("formats", "OpenEXR"),
    ):
        code, out, _ = run("list", shelf, "--format", "csv")
        assert code == 0
        assert word in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run, shell: str) -> None:
    if shell == "bash" and subprocess.run(["bash", "--version"], capture_output=True).returncode:
        pytest.skip("no bash here")
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "_HDRQ_COMPLETE" in out


def test_python_scores_the_same(pair) -> None:
    found = list(hdrq.score([pair], ["pu-psnr"]))
    assert found[0].value == pytest.approx(hdrq.metric("pu-psnr")(*map(hdrq.read, pair)).item())


def test_what_would_not_fit_is_refused_before_it_starts(run, pair) -> None:
    code, _, err = run("score", *pair, "-m", "pu-ssim", "--max-memory", "0.00001")
    assert code == 3
    assert "ssim would take about" in err


def test_folders_of_frames_are_sequences_to_a_metric_of_video(run, tmp_path) -> None:
    for folder, amount in (("a", 0.0), ("b", 0.1)):
        (tmp_path / folder).mkdir()
        for i in range(3):
            x = scene(i)
            hdrq.write(tmp_path / folder / f"f{i:03d}.exr", Image(noisy(x, amount) if amount else x))
    asked = "hdrvqm,mode=video,frame_rate=1,fixation_s=2"
    code, out, err = run("score", tmp_path / "a", tmp_path / "b", "-m", asked)
    assert code == 0, err
    assert len(rows(out)) == 1
    assert rows(out)[0]["better"] == "lower"
    assert float(rows(out)[0]["value"]) > 0
    assert len(rows(run("score", tmp_path / "a", tmp_path / "b", "-m", "pu-psnr")[1])) == 3


@pytest.mark.parametrize(("asked", "better"), [("hdrvdp3", "higher"), ("hdrvdp3,output=p-det", "lower")])
def test_a_row_tells_the_direction_of_the_number_asked_for(run, pair, asked: str, better: str) -> None:
    code, out, _ = run("score", *pair, "-m", asked)
    assert code == 0
    assert rows(out)[0]["better"] == better


def test_classical_metrics_import_neither_scipy_nor_matplotlib(pair) -> None:
    metrics = [
        "pu-psnr",
        "pu-ssim",
        "hdrvdp2",
        "hdrvdp3",
        "pu-vif",
        "pu-brisque",
        "pu-niqe",
        "pu-piqe",
        "pu-iw-ssim",
    ]
    asked = ["score", *map(str, pair), *(word for m in metrics for word in ("-m", m))]
    code = (
        "import sys\nfrom hdrq.cli import main\n"
        f"try: main({asked!r})\n"
        "finally: print(any(m.split('.')[0] in ('scipy', 'matplotlib') for m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") > len(metrics), done.stderr
    assert done.stderr.split()[-1] == "False"


def test_tone_mapping_imports_neither_scipy_nor_an_optimiser(pair, tmp_path) -> None:
    code = (
        "import sys\nfrom hdrq.cli import main\n"
        f"try: main(['tonemap', {str(pair[0])!r}, {str(tmp_path / 'a.png')!r}])\n"
        "finally: print(any(m.split('.')[0] in ('scipy', 'cmaes') for m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (tmp_path / "a.png").exists(), done.stderr
    assert done.stderr.split()[-1] == "False"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux only")
@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".txt"])
def test_names_that_are_not_utf_8_are_scored_and_written_as_they_are(
    run, pair, tmp_path, suffix: str
) -> None:
    odd = os.fsdecode(b"caf\xe9.exr")
    (tmp_path / odd).write_bytes(pair[1].read_bytes())
    out = tmp_path / f"scores{suffix}"
    assert run("score", pair[0], tmp_path / odd, "-m", "pu-psnr", "-o", out)[0] == 0
    assert (b"caf\xe9.exr" if suffix == ".csv" else rb"caf\udce9.exr") in out.read_bytes()
    if suffix == ".csv":
        code, _, _ = run("score", pair[0], tmp_path / odd, "-m", "pu-psnr,pu-mae", "-o", out, "--resume")
        lines = list(csv.DictReader(out.open(encoding="utf-8", errors="surrogateescape", newline="")))
        assert code == 0
        assert [Path(r["dist"]).name for r in lines] == [odd, odd]
    done = subprocess.run(
        [sys.executable, "-m", "hdrq", "score", pair[0], tmp_path / odd, "-m", "pu-psnr"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0
    assert b"caf\xe9.exr" in done.stdout


def test_pairs_of_standard_input_are_answered_one_by_one(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A row comes before the next pair is written; notes are said once; what is carried stays."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "hdrq", "score", "--pairs", "-", "-m", "pu-psnr", "--format", "csv"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1) as run:
        assert None not in (run.stdin, run.stdout, run.stderr)
        run.stdin.write(f"ref,dist,shot\n{pair[0]},{pair[1]},first\n")
        header, first = run.stdout.readline(), run.stdout.readline()
        run.stdin.write(f"{pair[0]},{tmp_path / 'none.exr'},second\n")
        second = run.stdout.readline()
        run.stdin.write(f"{pair[0]},{pair[0]},third\n")
        third = run.stdout.readline()
        run.stdin.close()
        said = run.stderr.read()
        assert run.wait() == 1
    assert header.startswith("ref,dist,metric,value")
    assert header.strip().endswith(",shot")
    assert first.strip().endswith(",first")
    assert ",failed," in second
    assert ",inf," in third
    assert said.count("none.exr") == 1
