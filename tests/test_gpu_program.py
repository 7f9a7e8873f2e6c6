"""bench/gpu.py on the CPU with small images: every kind of row, a difference that it must report, and the table it writes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

PROGRAM = Path(__file__).parents[1] / "bench" / "gpu.py"


@pytest.fixture
def gpu(monkeypatch) -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("gpu", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_kind_of_row_is_there(gpu, tmp_path, capsys) -> None:
    chosen = "psnr,tmqi,niqe,lpips,pu-pieapp,reinhard,akyuz,pq,merge,sampler,vtamiq"
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu: written by bench/gpu.py -->\nold\n<!-- /gpu -->\nafter\n")
    made = [
        "--device",
        "cpu",
        "--small",
        "--only",
        chosen,
        "--json",
        str(tmp_path / "x.json"),
        "--page",
        str(page),
    ]
    assert gpu.main(made) == 0, capsys.readouterr().out
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["device"] == "CPU"
    rows = found["rows"]
    checks = {(r["part"], r["name"]): r for r in rows if r["part"] != "speed"}
    assert checks["metric", "pu21:psnr"]["state"] == "ok"
    assert checks["metric", "lpips"]["figure"] == 0
    assert checks["metric", "pu-pieapp"]["state"] == "not run"
    assert {part for part, _ in checks} == {
        "metric",
        "tonemapper",
        "expander",
        "encoding",
        "merge",
        "sampler",
    }
    speeds = {r["name"]: r for r in rows if r["part"] == "speed" and r["state"] == "ok"}
    assert all(r["figure"] > 0 for r in speeds.values())
    assert {r["unit"] for r in speeds.values()} == {"images/s", "s", "GB/s read", "steps/s"}
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| pu21:psnr 64x96 batch 1 |" in text


@pytest.mark.parametrize("what", ["value", "gradient", "repetition"])
def test_a_device_that_differs_is_reported(gpu, monkeypatch, capsys, what) -> None:
    true, calls = gpu.hdrq.metric, []

    def wrong(text, device=None):
        bound = true(text, device=device)
        calls.append(1)
        n = len(calls)

        class Off(torch.nn.Module):
            scorer = bound.scorer

            def forward(self, *images):
                value = bound(*images)
                if what == "value" and n > 1:
                    return value + 0.1
                if what == "gradient" and n == 2:
                    return value.detach() + 2 * (value - value.detach())
                return value + 1e-6 * n if what == "repetition" else value

        return Off()

    monkeypatch.setattr(gpu.hdrq, "metric", wrong)
    bench = gpu.Bench(torch.device("cpu"), True, {"mae"}, 1)
    row = bench.compare_metric("mae")
    assert row.state == "differs"
    assert {"value": "on the CPU", "gradient": "gradients differ", "repetition": "two runs differ"}[
        what
    ] in row.note


def test_without_cuda_it_says_so(gpu, monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 3
    assert "no CUDA device" in capsys.readouterr().err
