"""The public API: what `import hdrq` gives, from a notebook, a data loader and a training loop."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import hdrq
from hdrq.errors import DomainError, UnknownName, UsageError
from hdrq.evaluation.statistics.curves import fit
from hdrq.records import Image


def light(seed: int = 0, side: int = 32) -> torch.Tensor:
    return 5 + 300 * torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def files(tmp_path):
    for seed, name in enumerate(("ref", "dist")):
        hdrq.write(tmp_path / f"{name}.exr", Image(light(seed)), depth="float")
    return tmp_path / "ref.exr", tmp_path / "dist.exr"


def test_dir_is_complete_and_every_name_exists():
    for name in [
        "read",
        "write",
        "encode",
        "decode",
        "metric",
        "score",
        "tonemap",
        "expand",
        "merge",
        "names",
        "evaluate",
        "train",
        "distill",
        "dataset",
        "models",
        "Image",
        "Card",
    ]:
        assert name in dir(hdrq)
    for name in dir(hdrq):
        assert getattr(hdrq, name) is not None
    with pytest.raises(AttributeError, match="hdrq has no 'scroe'"):
        _ = hdrq.scroe  # type: ignore[attr-defined]


def test_importing_costs_no_torch():
    code = "import sys, hdrq; dir(hdrq); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_metric_takes_tensors_images_arrays_and_paths(files):
    bound = hdrq.metric("pu21:ssim")
    a, b = light(0), light(1)
    value = bound(a, b)
    assert isinstance(bound, torch.nn.Module)
    assert torch.equal(value, bound(Image(a), Image(b)))
    assert torch.equal(value, bound(*files))
    assert torch.equal(value, bound(*(x[0].permute(1, 2, 0).numpy() for x in (a, b))))
    assert torch.equal(value, bound(*(x.permute(0, 2, 3, 1).numpy() for x in (a, b))))
    code = (a / 305 * 255).byte()[0].permute(1, 2, 0).numpy()
    assert hdrq.metric("ssim")(code, code).item() == 1
    with pytest.raises(UsageError, match="not list"):
        bound([1, 2], [1, 2])  # type: ignore[arg-type]


def test_a_metric_describes_its_value_and_takes_options_by_name():
    bound = hdrq.metric("hdrvdp3", output="p-det")
    assert (bound.better, bound.unit, bound.span, bound.best) == ("lower", "1", (0, 1), 0.0)
    assert str(hdrq.metric("pu-ssim", variant="wang")) == "pu21:ssim,variant=wang"
    with pytest.raises(UsageError, match="given twice"):
        hdrq.metric("pu-ssim,variant=wang", variant="piq")
    with pytest.raises(UsageError, match="no option 'varient'"):
        hdrq.metric("pu-ssim", varient="piq")


def test_a_metric_is_a_loss():
    ref = light(0)
    image = torch.nn.Parameter(light(1))
    loss = hdrq.metric("pu21:mae")
    optimiser = torch.optim.Adam([image], lr=5.0)
    before = loss(ref, image).item()
    for _ in range(5):
        optimiser.zero_grad()
        loss(ref, image).sum().backward()
        optimiser.step()
    assert loss(ref, image).item() < before


def mine(ref: torch.Tensor, dist: torch.Tensor, *, power: float = 1.0) -> torch.Tensor:
    return ((ref - dist).abs() ** power).mean((1, 2, 3))


CARD = hdrq.Card(
    title="Mine", unit="1", better="lower", span=(0, None), best=0.0, reads="code", source="here"
)


def test_a_function_and_a_card_are_a_metric():
    bound = hdrq.metric(mine, card=CARD, stages="pu21", power=2.0)
    assert torch.allclose(bound(light(0), light(1)), hdrq.metric("pu21:mse")(light(0), light(1)))
    with pytest.raises(DomainError, match="pu21:mine"):
        hdrq.metric(mine, card=CARD)(light(0), light(1))
    with pytest.raises(UsageError, match="card="):
        hdrq.metric(mine)


@pytest.mark.parametrize(
    "make",
    [lambda: hdrq.metric("pu-ssim", variant="wang"), lambda: hdrq.metric(mine, card=CARD, stages="pu21")],
)
def test_a_metric_pickles(make):
    bound = make()
    again = pickle.loads(pickle.dumps(bound))
    assert str(again) == str(bound)
    assert torch.equal(again(light(0), light(1)), bound(light(0), light(1)))


def test_to_moves_the_precision():
    bound = hdrq.metric("pu-psnr").to(torch.float64)
    assert bound(light(0), light(1)).dtype == torch.float64
    assert hdrq.metric("pu-psnr")(light(0), light(1)).dtype == torch.float32


@pytest.mark.parametrize("text", ["pu21:ssim", "pu21:psnr", "pq:mae", "hlg:mse", "y:pu21:psnr", "log-rmse"])
def test_unchecked_gives_the_same_numbers(text):
    plain = hdrq.metric(text)(light(0), light(1))
    assert torch.equal(hdrq.metric(text, checked=False)(light(0), light(1)), plain)


def test_unchecked_metrics_compile_to_one_graph():
    bound = hdrq.metric("pu21:mae", checked=False)
    compiled = torch.compile(bound, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(light(0), light(1)), bound(light(0), light(1)))


def test_score_understands_one_pair_one_metric_and_images(files):
    rows = [
        *hdrq.score(files, "pu-psnr"),
        *hdrq.score([files], ["pu-psnr"]),
        *hdrq.score([(str(files[0]), str(files[1]))], "pu-psnr"),
        *hdrq.score((Image(light(0)), Image(light(1))), "pu-psnr"),
        *hdrq.score(hdrq.Pair(dist=files[1], ref=files[0]), "pu-psnr"),
    ]
    assert len({r.value for r in rows}) == 1
    assert rows[0].dist == str(files[1])
    assert rows[3].dist == "(image)"


def test_score_refuses_what_it_cannot_understand_in_one_line(files):
    with pytest.raises(UsageError, match=r"one image was given .* compare two"):
        hdrq.score(str(files[0]), ["pu-psnr"])
    with pytest.raises(UsageError, match="a pair is"):
        list(hdrq.score([(files[0], files[1], files[1])], ["pu-psnr"]))
    with pytest.raises(UsageError, match="paths or Images"):
        list(hdrq.score([(np.zeros(3), np.zeros(3))], ["pu-psnr"]))
    with pytest.raises(UnknownName, match="did you mean"):
        hdrq.score([files], "pu-psnrr")
    with pytest.raises(UsageError, match="no metric is given"):
        hdrq.score([files], [])
    with pytest.raises(UsageError, match=r"no CUDA|there is no"):
        hdrq.score([files], "pu-psnr", device="cuda:99")


def test_tone_mapping_by_name(files):
    image = hdrq.tonemap(files[0], "reinhard", key=0.18)
    assert image.domain == "srgb"
    assert torch.equal(image.pixels, hdrq.tonemap(hdrq.read(files[0]), "reinhard", key=0.18).pixels)
    with pytest.raises(UsageError, match="no option"):
        hdrq.tonemap(files[0], "reinhard", kee=0.18)


def test_tone_mapping_takes_arrays(files):
    light = hdrq.read(files[0])
    mapped = hdrq.tonemap(light, "reinhard")
    array = light.pixels[0].permute(1, 2, 0).numpy()
    assert torch.equal(hdrq.tonemap(array, "reinhard").pixels, mapped.pixels)


def test_score_resumes_from_a_table(tmp_path, files, monkeypatch):
    table = tmp_path / "scores.csv"
    third = tmp_path / "third.exr"
    hdrq.write(third, Image(light(2)), depth="float")
    begun = hdrq.score([files, (files[0], third)], ["pu-psnr", "pu-mae"], resume=table)
    first = [next(begun), next(begun), next(begun)]
    begun.close()
    assert not table.exists()

    def no_more(*args, **options):
        raise AssertionError("a row that is there is computed again")

    kept = hdrq.score([files], ["pu-psnr", "pu-mae"], resume=table)
    with monkeypatch.context() as patched:
        patched.setattr("hdrq.scoring.batch._pair_rows", no_more)
        assert [r.value for r in kept] == [r.value for r in first[:2]]
    whole = list(hdrq.score([files, (files[0], third)], ["pu-psnr", "pu-mae"], resume=table))
    assert whole == list(hdrq.score([files, (files[0], third)], ["pu-psnr", "pu-mae"]))
    assert len(table.read_text().splitlines()) == 5
    assert not table.with_name("scores.csv.part").exists()
    hdrq.write(third, Image(light(3)), depth="float")  # a file that changed is scored again
    changed = list(hdrq.score([(files[0], third)], "pu-psnr", resume=table))
    assert changed[0].value != whole[2].value
    assert len(table.read_text().splitlines()) == 5
    assert hdrq.score([files], "pu-psnr", display="sdr", resume=table).__next__().value != whole[0].value
    with pytest.raises(UsageError, match="needs files"):
        hdrq.score((Image(light(0)), Image(light(1))), "pu-psnr", resume=table)
    with pytest.raises(UsageError, match=r"use a suffix of \.csv"):
        hdrq.score([files], "pu-psnr", resume=tmp_path / "scores.txt")


def test_models_lists_what_is_here_and_what_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "broken.safetensors").write_bytes(b"")
    found = {m.name: m for m in hdrq.models()}
    assert found["broken"].state == "damaged card"
    assert "broken" in found["broken"].note
    shipped = next(m for m in found.values() if m.state == "here")
    assert shipped.card.name == shipped.name
    assert shipped.path.exists()
    assert shipped.megabytes == pytest.approx(shipped.path.stat().st_size / 1e6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused_in_words_by_every_door():
    """`.to("cuda")` ended in torch's AssertionError."""
    module = hdrq.metric("pu-psnr")
    for ask in (
        lambda: hdrq.metric("pu-psnr", device="cuda"),
        lambda: module.to("cuda"),
        lambda: module.to(device="cuda:1"),
        lambda: module.to(torch.device("cuda")),
        module.cuda,
        lambda: module.cuda(1),
        lambda: list(hdrq.score([("a.exr", "b.exr")], ["pu-psnr"], device="cuda")),
    ):
        with pytest.raises(UsageError, match="no CUDA device is available here"):
            ask()
    with pytest.raises(UsageError, match="unknown device"):
        module.to("bogus")
    assert module.to("cpu", torch.float64).scorer.dtype == torch.float64


def test_outputs_are_named_as_at_the_prompt(files, tmp_path):
    """The checks are in the functions, so that a script meets them too."""
    ref, _ = files
    for work in (
        lambda: hdrq.convert_files(ref, tmp_path / "code.png", "pq", suffix=".png"),
        lambda: hdrq.tonemap_files(ref, tmp_path / "image.png", suffix=".png"),
    ):
        with pytest.raises(UsageError, match="--suffix is only for output folders"):
            work()
    (tmp_path / "out").mkdir()
    done = hdrq.tonemap_files([str(ref)], tmp_path / "out", "linear", suffix=".jpg")
    assert len(done) == 1
    assert [one.target.name for one in done] == ["ref.jpg"]


def test_datasets_are_compared_and_correlated_from_python(tmp_path):
    lines = ["image,mos,good,bad", *(f"{i},{i % 7 + i / 10},{i % 7},{i * 37 % 23}" for i in range(40))]
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    found = hdrq.evaluate(tmp_path / "scores.csv", lower=False, draws=0)
    assert found.by("distortion") == []
    assert found.breakdowns() == []
    assert "| good | 40 |" in found.paper_table("markdown")
    pair = hdrq.correlate(tmp_path / "scores.csv")
    assert pair.assumed == ("good", "bad")
    assert pair.rows[0].images == 40
    with pytest.raises(UsageError, match="--data has no effect without --dataset"):
        hdrq.evaluate(tmp_path / "scores.csv", data=tmp_path)
    with pytest.raises(UsageError, match="both name a subset"):
        hdrq.evaluate(dataset="upiq:hdr", subset="sdr")
    with pytest.raises(UsageError, match="2 --data for 1 --dataset"):
        hdrq.evaluate_datasets(["kadid"], data=["a", "b"])


def test_the_scene_of_the_demo_has_limits():
    ref, dist = hdrq.demo_scene(48, 32)
    assert ref.pixels.shape == dist.pixels.shape == (1, 3, 32, 48)
    with pytest.raises(UsageError, match="between 16x16 and 8192x8192"):
        hdrq.demo_scene(8, 32)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        *(
            (
                lambda name=name: hdrq.merge([light()[0], light()[0]], times=[1, 2], **{name: "nope"}),
                f"{name}: 'nope' is not one of",
            )
            for name in ("align", "crop", "deghost", "scale", "demosaic", "weigh", "edge")
        ),
        (lambda: hdrq.Photometry(nonfinite="nope"), "nonfinite: 'nope' is not one of error, clamp"),
        (lambda: hdrq.names("metrik"), "unknown kind 'metrik'; kinds are metric, "),
        (lambda: fit("nope", [1.0, 2.0], [1.0, 2.0]), "unknown curve 'nope'; choose one of logistic5, "),
    ],
)
def test_words_that_the_prompt_refuses_are_refused_in_python(call, says):
    with pytest.raises(hdrq.HdrqError, match=says):
        call()


def test_public_functions_refuse_arguments_of_another_type_in_one_line() -> None:
    """Every one that takes any; the hints of all can be read at run time."""
    unchecked = []
    for name in dir(hdrq):
        function = getattr(hdrq, name)
        if not inspect.isfunction(function) or not (parameters := inspect.signature(function).parameters):
            continue
        named = [p for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        wanted = [p.name for p in named if p.default is p.empty] or [p.name for p in named[:1]]
        if not wanted:
            continue
        try:
            done = function(**dict.fromkeys(wanted, object()))
            unchecked.append(f"{name} gives {done}")
        except UsageError as error:
            if " must be " not in str(error) or "\n" in str(error):
                unchecked.append(f"{name}: {error}")
        except Exception as error:
            unchecked.append(f"{name}: {error!r}")
    assert unchecked == []
