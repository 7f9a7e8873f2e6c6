"""Entries of other packages: found by their entry points, used and listed like ours, and no harm when broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
"""Mean absolute difference of decades of light."""
from hdrq import Card, Display
from hdrq.cards import metric

@metric(Card(title="Decades apart", unit="decades", better="lower", span=(0, None), best=0.0,
             reads="nits", source="definition"))
def decades_apart(ref, dist, *, floor: float = 1e-3):
    return (dist.clamp(min=floor).log10() - ref.clamp(min=floor).log10()).abs().flatten(1).mean(1)

projector = Display("projector", 48.0, 0.024, "2.6")
'''


def package(folder: Path, points: str, module: str = MODULE, name: str = "hdrq_extra") -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    (folder / f"{name}.py").write_text(module)


def hdrq(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "hdrq", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


@pytest.fixture
def pair(tmp_path):
    import torch

    from hdrq.io import write
    from hdrq.records import Image

    for name, light in (("a", 10.0), ("b", 100.0)):
        write(tmp_path / f"{name}.exr", Image(torch.full((1, 3, 16, 16), light)), depth="float")
    return str(tmp_path / "a.exr"), str(tmp_path / "b.exr")


def test_a_metric_and_a_display_of_another_package_work_by_name(tmp_path, pair):
    package(
        tmp_path,
        "[hdrq.metrics]\ndecades-apart = hdrq_extra:decades_apart\n[hdrq.displays]\nprojector = hdrq_extra:projector\n",
    )
    done = hdrq(tmp_path, "score", *pair, "-m", "decades-apart", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert ",decades-apart,1.0,decades,lower," in done.stdout
    done = hdrq(tmp_path, "score", *pair, "-m", "decades-apart,floor=1000", "--format", "csv")
    assert ",0.0,decades," in done.stdout
    done = hdrq(tmp_path, "score", *pair, "-m", "decades-apart", "--display", "projector", "--format", "csv")
    assert "projector" in done.stdout
    listed = hdrq(tmp_path, "list", "metrics", "--format", "csv").stdout
    assert "decades-apart,Decades apart" in listed
    assert "projector" in hdrq(tmp_path, "list", "displays", "--format", "csv").stdout


def test_our_own_entries_cannot_be_replaced(tmp_path, pair):
    package(tmp_path, "[hdrq.metrics]\npsnr = hdrq_extra:decades_apart\n")
    done = hdrq(tmp_path, "score", *pair, "-m", "pu-psnr", "--format", "csv")
    assert done.returncode == 0
    assert ",dB,higher," in done.stdout


def test_a_broken_package_is_named_where_it_is_used_and_left_out_of_lists(tmp_path, pair):
    package(
        tmp_path,
        "[hdrq.metrics]\ndecades-apart = hdrq_extra:decades_apart\n",
        "import no_such_module_anywhere\n",
    )
    done = hdrq(tmp_path, "score", *pair, "-m", "decades-apart")
    assert done.returncode == 2
    assert "the package hdrq-extra cannot be loaded (ModuleNotFoundError" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert hdrq(tmp_path, "score", *pair, "-m", "pu-psnr").returncode == 0
    done = hdrq(tmp_path, "list", "metrics", "--format", "csv")
    assert done.returncode == 0
    assert "hdrq-extra" in done.stderr
    assert "decades-apart" not in done.stdout
    assert "\nssim," in done.stdout


def test_an_entry_point_bears_the_name_of_its_metric(tmp_path, pair):
    package(tmp_path, "[hdrq.metrics]\nother = hdrq_extra:decades_apart\n")
    done = hdrq(tmp_path, "score", *pair, "-m", "other")
    assert done.returncode == 2
    assert "its entry point must be called decades-apart" in done.stderr


MORE = """
from pathlib import Path
import torch
from hdrq.records import Encoding, Pair
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.merging.cards import RuleCard, Terms, entry
from hdrq.evaluation.archive import dataset

@operator(OperatorCard(title="Halving", source="here", gives="code"))
def halving(light, *, white: float = 100.0):
    return (light / (2 * white)).clamp(0, 1)

root = Encoding(name="root", nits=(0.0, 1e4), codes=255.0, encode=lambda y, white: (y / 100).sqrt(),
                decode=lambda v, white: 100 * v.square(), absolute=True, source="here")

@distortion(DistortionCard(title="Darker", source="here", acts="code", amount="difference", levels=(0, .1, .2, .3, .4, .5)))
def darker(code, amount):
    return code - amount

@entry(RuleCard(title="Plain mean", source="here"))
def plain_mean(light, weight, seconds):
    return Terms(light / seconds, torch.ones_like(light))

@dataset(title="Mine", home="-", licence="-", source="-", scale="MOS", better="higher", span=(0, 1), domain="srgb",
         display="sdr", references=0, distortions=0, images=1, marks=("scores.txt",), folders=("mine",), layout=("scores.txt",))
def mine(folder, subset):
    yield Pair(dist=folder.root / "a.png", mos=0.5)
"""


def test_every_kind_of_entry_is_one_object(tmp_path, pair):
    """An operator, an encoding, a distortion, an averaging rule and a dataset, without a change to hdrq."""
    kinds = {"tonemappers": "halving", "encodings": "root", "distortions": "darker", "mergers": "plain-mean"}
    points = "".join(
        f"[hdrq.{kind}]\n{name} = hdrq_more:{name.replace('-', '_')}\n"
        for kind, name in {**kinds, "datasets": "mine"}.items()
    )
    package(tmp_path, points, MORE, "hdrq_more")
    out = tmp_path / "out.png"
    done = hdrq(tmp_path, "tonemap", pair[0], str(out), "--operator", "halving", "--set", "white=50")
    assert done.returncode == 0, done.stderr
    from hdrq.io import read

    assert float(read(out).pixels.mean()) == pytest.approx(0.1, abs=1 / 255)
    done = hdrq(tmp_path, "score", *pair, "-m", "root:mae", "--format", "csv")
    assert done.returncode == 0, done.stderr
    value = float(done.stdout.splitlines()[1].split(",")[3])
    assert value == pytest.approx(1.0 - 0.1**0.5, abs=1e-5)
    for kind, name in (("distortions", "darker"), ("mergers", "plain-mean"), ("datasets", "mine")):
        assert name in hdrq(tmp_path, "list", kind, "--format", "csv").stdout


def test_an_entry_that_is_not_called_as_its_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from hdrq import registry
    from hdrq.errors import MissingPart

    module = SimpleNamespace(__file__="nets/vgg16.py", vgg_sixteen=None)
    monkeypatch.setattr(registry.importlib, "import_module", lambda name: module)
    with pytest.raises(
        MissingPart, match=r"nets/vgg16.py defines no 'vgg16'; an entry has the name of its file"
    ):
        registry.find("net", "vgg16")
