"""--set names the options of an entry, or the settings of a training, and nothing else of the function behind a command."""

from __future__ import annotations

import inspect

import pytest
import torch

import hdrq
from hdrq import io
from hdrq.records import Image
from hdrq.tonemapping import api


def parameters(*functions: object) -> set[str]:
    """Names of all parameters of these functions."""
    return {name for function in functions for name in inspect.signature(function).parameters}  # type: ignore[arg-type]


@pytest.fixture
def code(tmp_path):
    pixels = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    io.write(tmp_path / "in.png", Image(pixels, "srgb", bits=8))
    return tmp_path / "in.png"


@pytest.mark.parametrize("name", sorted(parameters(hdrq.expand_files, hdrq.expand, api.files.expand_files)))
def test_a_parameter_of_the_function_is_no_option_of_an_expander(name, code, tmp_path, run) -> None:
    """Before: --set suffix=.exr was an internal error, and --set mask=-x wrote masks."""
    target = tmp_path / "out.exr"
    exit_code, _, err = run("tonemap", "--expand", "akyuz", "--set", f"{name}=1", code, target)
    assert exit_code == 2
    assert err == f"hdrq: akyuz has no option '{name}'; its options are peak_nits, gamma, transfer\n"
    assert not target.exists()


@pytest.mark.parametrize(
    "name", sorted(parameters(hdrq.tonemap_files, hdrq.tonemap, api.plan, api.Plan) | {"display"})
)
def test_a_parameter_of_the_function_is_no_option_of_an_operator(name, code, tmp_path, run) -> None:
    target = tmp_path / "out.png"
    exit_code, _, err = run("tonemap", "--set", f"{name}=1", code, target)
    assert exit_code == 2
    assert err == f"hdrq: reinhard has no option '{name}'; its options are key, white, variant\n"
    assert not target.exists()


def test_an_option_of_an_expander_may_have_the_name_of_a_parameter(monkeypatch, tmp_path, code, run) -> None:
    """An entry of another package may call its option `suffix`; the command gives it to the entry."""
    import hdrq.tonemapping.plan as plan_module
    from hdrq.tonemapping.operator import Operator, OperatorCard

    def odd(pixels: torch.Tensor, *, suffix: float = 1.0, primaries: float = 1.0) -> torch.Tensor:
        return pixels * 0 + suffix * primaries

    made = Operator("odd", OperatorCard("odd", "here", reads="code", gives="nits"), odd)
    named = plan_module.operator_named
    monkeypatch.setattr(plan_module, "operator_named", lambda s, n: made if n == "odd" else named(s, n))
    target = tmp_path / "out.exr"
    sets = ("--set", "suffix=6", "--set", "primaries=7")
    assert run("tonemap", "--expand", "odd", *sets, code, target)[0] == 0
    assert float(io.read(target).pixels.max()) == 42
    done = list(hdrq.expand_files(code, tmp_path / "again.exr", api.expansion("odd", {"suffix": 5})))
    assert not done[0].error
    for made in (api.expansion("odd"), api.plan("reinhard")):
        call = hdrq.expand_files if isinstance(made, api.Expansion) else hdrq.tonemap_files
        with pytest.raises(hdrq.HdrqError, match="key has no effect beside a ready"):
            call(code, tmp_path / "third.exr", made, key=1)
    assert float(io.read(tmp_path / "again.exr").pixels.max()) == 5


@pytest.mark.parametrize("name", sorted(parameters(hdrq.import_checkpoint)))
def test_a_parameter_of_the_import_is_no_build_option(name, tmp_path, run, monkeypatch) -> None:
    from hdrq.registry import find

    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    shelf = find("net", "norvdpnet")
    file = tmp_path / "theirs.pth"
    torch.save(shelf.layouts[0].write(shelf.build().state_dict(), {}), file)
    exit_code, _, err = run("models", "import", file, "--as", "norvdpnet", "--set", f"{name}=1")
    assert exit_code == 2, err
    assert f"norvdpnet has no option '{name}'; it has " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["train", "distill"])
def test_a_parameter_of_the_function_is_no_setting(command, tmp_path, run) -> None:
    from hdrq.training.settings import Settings

    others = sorted(parameters(getattr(hdrq, command)) - parameters(Settings))
    source = ("--recipe", "qdnet") if command == "train" else ("--teacher", "pu-psnr", "--images", tmp_path)
    for name in others:
        exit_code, _, err = run(
            command, *source, "--set", f"{name}=1", "--dry-run", "-o", tmp_path / "r", "--quiet"
        )
        assert exit_code == 2, (name, err)
        assert f"there is no setting '{name}'" in err, (name, err)
