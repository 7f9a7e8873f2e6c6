"""What the user says of files holds for training and distilling, as it does for scoring."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.distillation.api import task
from hdrq.distillation.rows import read_rows, write_rows
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import find_sources, opened
from hdrq.distillation.task import build_set, settings_for
from hdrq.distillation.teacher_scores import Cache
from hdrq.encoding.code_images import clipped_line
from hdrq.encoding.reading import Reading, parsed, reading_of
from hdrq.errors import PixelError, UsageError
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, P3, Image
from hdrq.registry import find
from hdrq.training.image_cache import ImageCache
from hdrq.training.settings import Settings

PQ = Reading(domain="pq")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in argv])
    return int(stop.value.code or 0)


def light(side: int = 80, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 5, 5, generator=random)
    return 10 ** (3 * torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear"))


def untagged_pq(path: Path, nits: torch.Tensor) -> Path:
    """PQ code in a PNG that does not say so."""
    io.write(path, Image(find("encoding", "pq").encode(nits), "srgb"), depth="uint16")
    return path


def test_code_of_light_is_trained_on_as_light(tmp_path):
    nits = light()
    io.write(tmp_path / "tagged.png", Image(find("encoding", "pq").encode(nits), "pq", BT2020))
    found = ImageCache(tmp_path / "c").get(tmp_path / "tagged.png")
    expected = convert(nits, BT2020, BT709)[0].clamp(min=0).numpy()
    assert found.dtype == np.float32
    assert np.allclose(found, expected, rtol=2e-3, atol=1e-2)


def test_what_the_user_says_changes_what_is_cached(tmp_path):
    path = untagged_pq(tmp_path / "a.png", light())
    as_stated, as_pq = ImageCache(tmp_path / "c"), ImageCache(tmp_path / "c", PQ)
    assert as_stated.get(path).dtype == np.uint16
    assert not as_stated.holds_light(path)
    assert as_pq.holds_light(path)
    assert np.allclose(as_pq.get(path), light()[0].numpy(), rtol=2e-3)
    io.write(tmp_path / "b.pfm", Image(light(), "nits"))
    wide = ImageCache(tmp_path / "c", Reading(scale=10.0, file_primaries="bt2020")).get(tmp_path / "b.pfm")
    assert np.allclose(
        wide, 10 * convert(light(), BT2020, BT709)[0].clamp(min=0).numpy(), rtol=1e-4, atol=1e-2
    )


def test_float_code_keeps_more_than_eight_bits(tmp_path):
    io.write(tmp_path / "a.exr", Image(light() / 1000, "srgb"))
    assert ImageCache(tmp_path / "c").get(tmp_path / "a.exr").dtype == np.uint16


def test_nan_is_refused_or_clamped(tmp_path):
    pixels = light()
    pixels[0, 0, 3, 4] = float("nan")
    io.write(tmp_path / "a.exr", Image(pixels, "nits"))
    with pytest.raises(PixelError, match="1 NaN values, the first at row 3, column 4"):
        ImageCache(tmp_path / "c").get(tmp_path / "a.exr")
    assert np.isfinite(ImageCache(tmp_path / "c", Reading(nonfinite="clamp")).get(tmp_path / "a.exr")).all()
    with pytest.raises(PixelError, match="1 NaN"):
        opened(tmp_path / "a.exr")


def test_a_reading_is_kept_as_text_and_refuses_what_does_not_exist():
    said = Reading(layer="a,b=c", domain="pq", scale=2.5)
    assert parsed(said.text) == said
    assert parsed("") == Reading()
    assert reading_of({"scale": "3", "part": 2}) == Reading(scale=3.0, part="2")
    for wrong in (
        {"domain": "px"},
        {"file_primaries": "p4"},
        {"scale": "x"},
        {"scale": -1.0},
        {"frames": "3"},
    ):
        with pytest.raises(UsageError):
            reading_of(wrong)


def test_settings_without_a_reading_keep_their_digest_and_those_with_one_have_another():
    plain = Settings("vtamiq")
    assert plain.digest == Settings("vtamiq", files={}).digest
    assert plain.digest != Settings("vtamiq", files={"domain": "pq"}).digest
    assert plain.digest == "f2d1cf4f79b3"


def test_options_of_train_reach_every_image_and_the_run_folder(tmp_path, capsys):
    lines = ["dist,mos"]
    for i in range(8):
        untagged_pq(tmp_path / f"{i}.png", light(seed=i))
        lines.append(f"{i}.png,{i}")
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    asked = ("train", "--dataset", "csv", "--data", "mine.csv", "-m", "norvdpnet++", "--set", "epochs=1")
    assert run(*asked, "--domain", "pq", "--device", "cpu", "-o", "r") == 0
    assert "on pu21 code" in capsys.readouterr().err
    kept = json.loads((tmp_path / "r/settings.json").read_text())["settings"]
    assert (kept["files"], kept["source_display"]) == ({"domain": "pq"}, "nits")
    assert run("train", "--resume", "-o", "r", "--domain", "hlg") == 2
    assert "files was {'domain': 'pq'} and is {'domain': 'hlg'}" in capsys.readouterr().err
    assert run(*asked, "--domain", "px", "--dry-run") == 2
    assert "unknown domain 'px'" in capsys.readouterr().err


def test_rows_of_a_set_say_how_their_images_are_read(tmp_path):
    (tmp_path / "i").mkdir()
    untagged_pq(tmp_path / "i/a.png", light(160))
    given = {"distortions": "noise", "n": 4, "crop": 64, "files": {"domain": "pq"}}
    asked = task("pu-psnr", tmp_path / "i", student="pu-norvdpnet++", **given)
    cache = Cache(tmp_path / "s.sqlite")
    rows, found, _ = build_set(asked, cache)
    assert found[0].light
    assert {r.display for r in rows} == {"light"}
    plain, sources, _ = build_set(task("pu-psnr", tmp_path / "i", distortions="noise", n=4, crop=64), cache)
    assert not sources[0].light
    assert rows[0].view != plain[0].view
    assert write_rows(rows, tmp_path / "set.csv").exists()
    assert read_rows(tmp_path / "set.csv") == rows
    again, found, _ = build_set(task("pu-psnr", tmp_path / "set.csv", distortions="noise"), cache)
    assert again == rows
    assert found[0].light
    with pytest.raises(UsageError, match="a set states how its images are read"):
        build_set(task("pu-psnr", tmp_path / "set.csv", distortions="noise", files={"domain": "pq"}), cache)


def test_rows_without_a_reading_are_those_of_earlier_versions(tmp_path):
    untagged_pq(tmp_path / "a.png", light(160))
    found, _ = find_sources(tmp_path / "a.png", lambda p, r: None, lambda s, r: None)
    rows = make_set(found, ["noise"], 3, side=64)
    assert "reads" not in repr(rows[0])
    assert len(rows[0].view) == 6
    write_rows(rows, tmp_path / "set.csv")
    table = (tmp_path / "set.csv").read_text().splitlines()
    (tmp_path / "old.csv").write_text("\n".join(line.rpartition(",")[0] for line in table) + "\n")
    assert read_rows(tmp_path / "old.csv") == rows
    said = [make_set(found, ["noise"], 3, side=64, reads=t) for t in ("", PQ.text)]
    assert said[0].digest() != said[1].digest()


def test_wide_code_is_brought_to_bt709_for_distilling(tmp_path):
    code = torch.zeros(1, 3, 64, 64) + torch.tensor([0.5, 0.7, 0.4]).view(1, 3, 1, 1)
    io.write(tmp_path / "p3.png", Image(code, "srgb", P3, bits=16))
    found = opened(tmp_path / "p3.png").pixels  # by the matrix of Display P3 to sRGB with four digits
    assert float((found[0, :, 5, 5] - torch.tensor([0.4385, 0.7069, 0.3599])).abs().max()) < 2e-3


def vivid(folder: Path) -> tuple[Path, Path]:
    """A P3 code image and a BT.2020 light image, of which one in four pixels is outside BT.709."""
    code = torch.full((1, 3, 80, 80), 0.5)
    code[:, 1:, :40, :40] = 0.0  # a red whose green and blue are negative in BT.709
    io.write(folder / "p3.png", Image(code, "srgb", P3, bits=8))
    io.write(folder / "wide.exr", Image(code * 100 + 0.1, "nits", BT2020), depth="float")
    return folder / "p3.png", folder / "wide.exr"


def test_colours_outside_bt709_are_counted_where_they_are_clipped(tmp_path):
    code, wide = vivid(tmp_path)
    cache = ImageCache(tmp_path / "c")
    stored = cache.get(code)
    assert stored.dtype == np.uint16
    assert stored[:, 60, 60] / 65535 == pytest.approx(0.5, abs=3e-3)  # a grey has no gamut
    # P3 red to BT.709 by the published matrix of Display P3: 1.2249 times its light, and 0 after clipping
    assert stored[:, 5, 5] / 65535 == pytest.approx([0.5485, 0, 0], abs=3e-3)
    cache.get(wide)
    assert cache.clipped == {str(code): "3,200 values (17 %)", str(wide): "3,200 values (17 %)"}
    sources, _ = find_sources(tmp_path, lambda p, r: None, lambda s, r: None)
    assert {s.path.name: s.clipped for s in sources} == {
        "p3.png": "3,200 values (17 %)",
        "wide.exr": "3,200 values (17 %)",
    }
    said = clipped_line({f"{n}.png": "1 values (2 %)" for n in range(9)})
    assert said.endswith("4.png 1 values (2 %) and 4 more files")
    assert clipped_line({}) == ""


def test_train_and_distill_say_once_what_was_clipped_to_bt709(tmp_path, capsys):
    code, wide = vivid(tmp_path)
    line = "colours outside it were clipped: {} 3,200 values (17 %)"
    table = tmp_path / "mine.csv"
    for n in range(20):
        code.with_name(f"p{n}.png").write_bytes(code.read_bytes())
    table.write_text("dist,mos\n" + "".join(f"p{n}.png,{n}\n" for n in range(20)), encoding="utf-8")
    arguments = ("train", "--dataset", "csv", "--data", table, "-m", "norvdpnet++", "--set", "crop=64")
    assert run(*arguments, "--dry-run") == 0
    said = capsys.readouterr().err
    assert said.count(line.format("p0.png")) == 1
    assert "and 15 more files" in said
    run(*arguments, "--set", "epochs=1", "--device", "cpu", "-o", tmp_path / "r")  # learns nothing: one image
    assert capsys.readouterr().err.count(line.format("p0.png")) == 1
    (tmp_path / "i").mkdir()
    wide.rename(tmp_path / "i" / "wide.exr")
    made = (
        "distill",
        "--teacher",
        "pu-psnr",
        "--student",
        "pu-diqm",
        "--images",
        tmp_path / "i",
        "--crop",
        "64",
    )
    assert run(*made, "--distortions", "noise", "-n", "4", "--make-set", "recipes", "-o", tmp_path / "d") == 0
    assert capsys.readouterr().err.count(line.format("wide.exr")) == 1


def test_a_scale_is_refused_where_it_has_no_effect():
    asked = task("pu-psnr", "x", student="pu-norvdpnet++", files={"scale": 100.0})
    with pytest.raises(UsageError, match="scale has no effect"):
        settings_for(asked)
    judged = task("mos", "x", student="pu-norvdpnet++", files={"scale": 100.0})
    assert settings_for(judged).reading.scale == 100.0
