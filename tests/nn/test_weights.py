"""Weights answer to their card; other people's files are converted or refused, and never run."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq.cli.models import models
from hdrq.errors import FileError, HdrqError, MissingPart, UsageError
from hdrq.nn import foreign_files as foreign
from hdrq.nn import import_weights, weight_files, weights
from hdrq.nn.download import digest, download
from hdrq.records import Image
from hdrq.registry import find, names

SMALL = {
    "width": 32,
    "depth": 1,
    "heads": 2,
    "mlp": 32,
    "patch": 8,
    "grid": 3,
    "scales": 2,
    "registers": 1,
    "groups": 1,
    "blocks": 1,
    "reduction": 4,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights that holds nothing yet, and the only one."""
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(weight_files, "folders", lambda: [weight_files.user_folder()])
    return tmp_path / "models"


def small(seed: int = 0, **more: Any) -> torch.nn.Module:
    torch.manual_seed(seed)
    return find("net", "vtamiq").build(**SMALL, **more).eval()


def kept(name: str = "small", recipe: str = "a test", **more: Any) -> weights.Checkpoint:
    settings = {"net": "vtamiq", "options": SMALL, "encoding": "pu21", "white": "pmax", **more}
    card, _ = weights.save(small(), name=name, recipe=recipe, **settings)
    return card


def official(path: Path, **more: Any) -> Path:
    """A checkpoint as the authors of VTAMIQ write it."""
    layout = find("net", "vtamiq").layouts[0]
    theirs = layout.write(small().state_dict(), SMALL)
    held = {
        "epoch": 3,
        "SROCC": np.float64(0.9),
        "model_state_dict": theirs,
        "optimizer": {"state": {}},
        **more,
    }
    torch.save(held, path)
    return path


def test_what_is_saved_is_what_loads() -> None:
    card = kept()
    net = weights.load("vtamiq", "small", "pu21")
    assert all(torch.equal(t, small().state_dict()[k]) for k, t in net.state_dict().items())
    assert net.checkpoint == card
    assert net.label == f"small@{card.sha256[:12]}"
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    assert (card.encoding, card.white, card.recipe) == ("pu21", "pmax", "a test")


@pytest.mark.parametrize("net", ["vtamiq", "pieapp"])
def test_the_white_of_the_training_can_be_replaced_in_scoring(net: str) -> None:
    """Code scaled by hand, for a network whose white is 1.0, is what `white=` makes of it."""
    torch.manual_seed(3)
    module = small() if net == "vtamiq" else find("net", "pieapp").build().eval()
    weights.save(module, name="small", net=net, options=SMALL if net == "vtamiq" else {}, encoding="pu21", white="sdr",
                 recipe="a test")  # fmt: skip
    score, code = hdrq.metric(f"pu21:{net}@small"), find("encoding", "pu21")
    more = {"average": "code"} if net == "vtamiq" else {}
    ref, dist = (torch.rand(1, 3, 80, 96, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
    values = {}
    for white, nits in (("255", 100.0), ("pmax", 10_000.0)):
        low, high = (
            float(code.encode(torch.full((1, 1, 1, 1), v, dtype=torch.float64))) for v in (0.005, nits)
        )
        scaled = [Image((x - low) / (high - low), "pu21") for x in (ref, dist)]
        given = [Image(x, "pu21") for x in (ref, dist)]
        values[white] = float(hdrq.metric(f"pu21:{net}@small", white=white, **more)(*given))
        assert values[white] == pytest.approx(
            float(hdrq.metric(f"pu21:{net}@small", **more)(*scaled)), abs=1e-5
        )
    whole = float(score(Image(ref, "pu21"), Image(dist, "pu21")))
    assert abs(values["pmax"] - whole) > 1e-4
    with pytest.raises(UsageError, match="white"):
        hdrq.metric(f"pu21:{net}@small", white="bright")
    with pytest.raises(UsageError, match="relative code"):
        hdrq.metric(f"srgb:{net}@small", white="pmax")(Image(ref, "srgb"), Image(dist, "srgb"))


def test_half_precision_is_half_the_size_and_loads_as_float32(home: Path) -> None:
    kept("whole")
    kept("half", half=True)
    sizes = [(home / f"{name}.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    assert weights.load("vtamiq", "half", "pu21").diff_scale.dtype == torch.float32


def test_white_is_what_training_called_one() -> None:
    assert weights.span("srgb", "sdr") == (0.0, 1.0)
    low, high = weights.span("pu21", "pmax")
    assert (low * 256, high * 256) == pytest.approx((0.0, 595.39392), abs=1e-4)
    assert weights.span("pu21", "255")[1] * 256 == pytest.approx(256.383881, abs=1e-4)
    assert weights.span("pu21", "64..128") == (0.25, 0.5)
    with pytest.raises(UsageError, match="white is sdr, 255, pmax or LOW"):
        weights.span("pu21", "bright")


@pytest.mark.shared
@pytest.mark.parametrize("screen", ["sdr", "hdrlike"])
@pytest.mark.parametrize(("white", "intake"), [("pmax", "half"), ("255", "imagenet")])
def test_pu_code_enters_as_the_authors_wrapper_has_it(
    shared: Path, screen: str, white: str, intake: str
) -> None:
    from hdrq.nn.network_input import scaled_input

    stored = np.load(shared / "parity" / "pu_pq_display.npz")
    peak, contrast = (100.0, 1000.0) if screen == "sdr" else (5000.0, 50000.0)
    v = torch.from_numpy(stored["wrapper_x"]).double()
    black = peak / contrast
    nits = (peak - black) * v**2.2 + black + 0.005 * 100 / np.pi  # in 100 lux
    net = torch.nn.Module()
    net.intake, net.span = intake, weights.span("pu21", white)
    found = scaled_input(find("encoding", "pu21").encode(nits), net)
    assert np.abs(found.numpy() - stored[f"wrapper_{screen}_{white}_{intake}"]).max() < 1e-5


def test_a_changed_file_is_not_believed(home: Path) -> None:
    kept()
    path = home / "small.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="sha256 differs"):
        weights.load("vtamiq", "small", "pu21")
    card = json.loads((home / "small.json").read_text())
    card["sha256"] = digest(path)  # a card that is right about the file but not about what it computes
    card["witness"]["score"] += 0.1
    (home / "small.json").write_text(json.dumps(card))
    with pytest.raises(FileError, match="where its card says"):
        weights.verified(*weight_files.find_card("small"))
    (home / "small.json").write_text("{}")
    with pytest.raises(FileError, match="not a card of weights"):
        weights.load("vtamiq", "small", "pu21")


def test_without_weights_one_line_says_how_to_get_them() -> None:
    with pytest.raises(MissingPart) as said:
        weights.load("vtamiq", "", "pu21")
    assert "\n" not in str(said.value)
    assert "no weights of vtamiq for pu21 code are installed" in str(said.value)
    assert "hdrq models import FILE --as vtamiq --encoding pu21" in str(said.value)
    with pytest.raises(MissingPart, match="hdrq models import FILE --as pieapp"):
        weights.load("pieapp")
    with pytest.raises(MissingPart, match="no weights called 'nobody'"):
        weights.load("vtamiq", "nobody", "pu21")


def test_random_weights_are_never_a_default() -> None:
    kept(recipe=weights.UNTRAINED)
    with pytest.raises(MissingPart) as said:
        weights.load("vtamiq", "", "pu21")
    assert "@small" not in str(said.value)
    assert weights.load("vtamiq", "small", "pu21").checkpoint.recipe == weights.UNTRAINED
    shown = CliRunner().invoke(models, ["list", "--format", "csv"]).output
    assert "small,vtamiq,pu21,untrained" in shown


def test_the_only_trained_weights_are_the_default_and_two_must_be_named() -> None:
    kept("one")
    assert weights.load("vtamiq", "", "pu21").checkpoint.name == "one"
    kept("two")
    with pytest.raises(UsageError, match="name one: @one, @two"):
        weights.load("vtamiq", "", "pu21")
    kept("three", results={"default": True})
    assert weights.load("vtamiq", "", "pu21").checkpoint.name == "three"
    with pytest.raises(MissingPart, match="srgb code"):
        weights.load("vtamiq", "", "srgb")
    with pytest.raises(UsageError, match="holds weights of vtamiq, not of pieapp"):
        weights.load("pieapp", "one", "pu21")


def test_an_authors_checkpoint_is_imported_whole(tmp_path: Path) -> None:
    card, _ = import_weights.import_checkpoint(
        [official(tmp_path / "ours.pth")], "vtamiq", options={"heads": 2, "grid": 3}
    )
    assert (card.name, card.net, card.encoding, card.options["sampling"]) == (
        "ours",
        "vtamiq",
        "srgb",
        "authors",
    )
    assert digest(tmp_path / "ours.pth") in card.recipe
    again = weights.load("vtamiq", "ours")
    assert all(torch.equal(t, small().state_dict()[k]) for k, t in again.state_dict().items())


def test_what_no_shape_tells_is_asked_for(tmp_path: Path) -> None:
    path = official(tmp_path / "ours.pth")
    with pytest.raises(
        UsageError, match="the tensor shapes do not determine heads of this vtamiq; add --set heads=N"
    ):
        import_weights.import_checkpoint([path], "vtamiq")
    with pytest.raises(UsageError, match="has no option 'head'"):
        import_weights.import_checkpoint([path], "vtamiq", options={"head": 2})
    with pytest.raises(UsageError, match="cannot name weights"):
        import_weights.import_checkpoint([path], "vtamiq", options={"heads": 2}, name="../x")


def test_wrappers_and_prefixes_are_looked_through(tmp_path: Path) -> None:
    inner = {"a.weight": torch.ones(2), "b": torch.zeros(1)}
    cases = (
        inner,
        {"state_dict": {f"module.{k}": t for k, t in inner.items()}, "epoch": 1},
        {"model": {f"_orig_mod.{k}": t for k, t in inner.items()}},
        {"a": {"weight": torch.ones(2)}, "b": torch.zeros(1)},
    )
    for number, held in enumerate(cases):
        torch.save(held, tmp_path / "x.pt")
        state, nested = foreign.read(tmp_path / "x.pt")
        assert {k: t.shape for k, t in state.items()} == {k: t.shape for k, t in inner.items()}
        assert nested == (number == 3)
    np.savez(tmp_path / "x.npz", **{"a/kernel": np.ones((2, 3), np.float32)})
    assert foreign.read(tmp_path / "x.npz")[0]["a/kernel"].shape == (2, 3)


class Bomb:
    """Unpickled carelessly, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle", "npz"])
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path: Path, how: str) -> None:
    mark, path = tmp_path / "it-ran", tmp_path / ("bad.npz" if how == "npz" else "bad.pth")
    held = {"model_state_dict": {"w": torch.zeros(1)}, "more": Bomb(mark)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(held))
    elif how == "npz":
        np.savez(path, cls=np.array([Bomb(mark)], dtype=object))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=how == "torch")
    mark.unlink(missing_ok=True)
    with pytest.raises(FileError) as said:
        import_weights.import_checkpoint([path], "vtamiq")
    assert "\n" not in str(said.value)
    assert not mark.exists()
    if how != "npz":
        assert "refused, because it" in str(said.value)


def test_the_prompt_refuses_a_malicious_file_in_one_line(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    torch.save({"w": Bomb(mark)}, tmp_path / "bad.pth")
    mark.unlink(missing_ok=True)
    command = [sys.executable, "-m", "hdrq", "models", "import", str(tmp_path / "bad.pth"), "--as", "vtamiq"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 3
    assert len(run.stderr.strip().splitlines()) == 1
    assert not mark.exists()


def test_broken_files_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = official(tmp_path / "whole.pth")
    data = whole.read_bytes()
    for size in (0, 5, 100, len(data) // 2, len(data) - 10):
        cut = tmp_path / "cut.pth"
        cut.write_bytes(data[:size])
        with pytest.raises(FileError) as said:
            import_weights.import_checkpoint([cut], "vtamiq", options={"heads": 2})
        assert "\n" not in str(said.value)
    with pytest.raises(FileError, match="does not exist"):
        foreign.read(tmp_path / "absent.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(FileError, match="contains no named tensors"):
        foreign.read(tmp_path / "list.pth")


@pytest.mark.parametrize("spoil", ["reshape", "flatten", "drop", "add", "transpose"])
def test_wrong_shapes_and_missing_keys_are_refused(tmp_path: Path, home: Path, spoil: str) -> None:
    theirs = find("net", "vtamiq").layouts[0].write(small().state_dict(), SMALL)
    key = "transformer.encoder.layers.0.ffn.fc2.weight"
    if spoil == "drop":
        del theirs[key]
    elif spoil == "add":
        theirs["surplus.weight"] = torch.zeros(1)
    else:
        shape = {"reshape": (16, 64), "flatten": (-1,), "transpose": (32, 32, 1)}[spoil]
        theirs[key] = theirs[key].reshape(shape)
    torch.save(theirs, tmp_path / "odd.pth")
    with pytest.raises(HdrqError) as said:
        import_weights.import_checkpoint([tmp_path / "odd.pth"], "vtamiq", options={"heads": 2})
    assert "\n" not in str(said.value)
    assert not list(home.glob("*")), "nothing may be installed"


@pytest.fixture
def server(tmp_path: Path):
    """A web server of one folder that knows ranges, and can break off."""
    folder = tmp_path / "web"
    folder.mkdir()
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        breaks = 0

        def do_GET(self) -> None:
            path = folder / self.path.strip("/")
            if not path.exists():
                self.send_error(404)
                return
            data, start = path.read_bytes(), 0
            asked.append(self.headers.get("Range"))
            if wanted := self.headers.get("Range"):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            stop = len(data) // 2 if Handler.breaks else len(data)
            Handler.breaks = max(0, Handler.breaks - 1)
            self.wfile.write(data[start:stop])

        def log_message(self, *_: Any) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    web.folder, web.asked, web.handler = folder, asked, Handler
    web.url = f"http://127.0.0.1:{web.server_port}"
    yield web
    web.shutdown()
    web.server_close()


def test_a_download_goes_on_where_it_broke_off(server: Any, tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes(300_000)
    (server.folder / "x.bin").write_bytes(data)
    server.handler.breaks = 1
    with pytest.raises(FileError, match="was interrupted at 150000 of 300000 bytes"):
        list(download(f"{server.url}/x.bin", tmp_path / "x.bin"))
    assert not (tmp_path / "x.bin").exists()
    list(download(f"{server.url}/x.bin", tmp_path / "x.bin"))
    assert (tmp_path / "x.bin").read_bytes() == data
    assert server.asked == [None, "bytes=150000-"]
    with pytest.raises(FileError, match="answered 404"):
        list(download(f"{server.url}/y.bin", tmp_path / "y.bin"))
    with pytest.raises(FileError, match="cannot be reached"):
        list(download("http://127.0.0.1:9/z", tmp_path / "z"))


@pytest.fixture
def listed(server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One published entry, at home on the test's own server."""
    path = official(server.folder / "net.pth")
    entry = {
        "name": "theirs",
        "net": "vtamiq",
        "encoding": "srgb",
        "white": "sdr",
        "urls": [f"{server.url}/net.pth"],
        "files": ["net.pth"],
        "sha256": [digest(path)],
        "data": "",
        "licence": "MIT",
        "home": server.url,
    }
    monkeypatch.setattr(import_weights, "published", lambda: [entry])
    monkeypatch.setattr(
        import_weights, "import_checkpoint", partial(import_weights.import_checkpoint, options={"heads": 2})
    )
    return entry


def test_fetching_installs_what_its_hash_says(listed: dict[str, Any]) -> None:
    run = CliRunner().invoke(models, ["fetch", "theirs"])
    assert run.exit_code == 0, run.output
    assert weights.load("vtamiq", "theirs").checkpoint.licence == "MIT"
    assert CliRunner().invoke(models, ["verify"]).output.strip() == "theirs: ok"
    with pytest.raises(UsageError, match="there are no published weights called 'mine'"):
        list(import_weights.fetch_model("mine", lambda *_: True))


def test_a_wrong_hash_is_refused_and_an_unknown_one_is_asked(listed: dict[str, Any], home: Path) -> None:
    listed["sha256"] = ["0" * 64]
    with pytest.raises(FileError, match="it was removed"):
        list(import_weights.fetch_model("theirs", lambda *_: True))
    listed["sha256"] = [""]
    run = CliRunner().invoke(models, ["fetch", "theirs"], input="n\n")
    assert "knows no sha256" in run.output
    assert isinstance(run.exception, UsageError)
    assert not (home / "theirs.json").exists()
    assert CliRunner().invoke(models, ["fetch", "theirs"], input="y\n").exit_code == 0
    assert (home / "theirs.json").exists()


def test_published_entries_are_whole() -> None:
    for entry in weights.published():
        assert len(entry["urls"]) == len(entry["files"]) == len(entry["sha256"]) > 0
        assert all(url.startswith("https://") for url in entry["urls"])
        find("net", entry["net"])
        weights.span("srgb", entry["white"])
        assert entry["licence"]


def test_imported_weights_never_replace_others_unasked(tmp_path: Path, home: Path) -> None:
    """Nor do they hide shipped ones of the same name, silently."""
    kept("mine")
    path = official(tmp_path / "mine.pth")
    with pytest.raises(UsageError, match="already installed"):
        import_weights.import_checkpoint([path], "vtamiq", options={"heads": 2, "grid": 3})
    card, _ = import_weights.import_checkpoint(
        [path], "vtamiq", options={"heads": 2, "grid": 3}, replace=True
    )
    assert card.recipe.startswith("imported")


@pytest.mark.parametrize(
    ("names", "says"),
    [(["resnet.conv1.weight"], "Res18"), ([f"conv.{i}.alpha" for i in range(9)], "RZF")],
)
def test_unusable_variants_of_norvdpnetpp_are_named(names: list[str], says: str) -> None:
    state = {name: torch.zeros(1) for name in names}
    with pytest.raises(FileError, match=says):
        find("net", "norvdpnetpp").recognise(state)


def test_a_large_file_is_hashed_once_and_again_when_it_changes(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(weight_files, "_REMEMBERED", 0)
    calls = []
    monkeypatch.setattr(weight_files, "digest", lambda path: calls.append(path) or digest(path))
    kept()
    for _ in range(2):
        monkeypatch.setattr(weight_files, "_hashes", {})  # another process
        weights.load("vtamiq", "small", "pu21")
    assert len(calls) == 1
    path = home / "small.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(FileError, match="sha256 differs"):
        weights.load("vtamiq", "small", "pu21")
    assert len(calls) == 2


def test_loading_a_network_imports_no_compiler() -> None:
    """torch._dynamo and sympy take two seconds of processor time at the prompt."""
    if tuple(map(int, torch.__version__.split(".")[:2])) <= (2, 8):
        pytest.skip("torch 2.8 imports sympy itself for sizes on the meta device")
    kept()
    script = (
        "import sys, torch, hdrq; from hdrq.nn.weights import load; load('vtamiq', 'small', 'pu21');"
        "assert 'torch._dynamo' not in sys.modules and 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ))


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("options", 5, "its entry 'options' is not a table"),
        ("results", "x", "its entry 'results' is not a table"),
        ("encoding", None, "its entry 'encoding' is not a text"),
        ("sha256", 0, "its entry 'sha256' is not a text"),
        ("witness", [], "its entry 'witness' is not a table"),
        ("net", ..., "it has no entry 'net'"),
    ],
)
def test_a_card_with_an_entry_of_another_kind_is_broken_and_hides_no_other(
    tmp_path, monkeypatch, entry, value, says
) -> None:
    """Before: an internal error, also in commands that use other weights of the same network."""
    from hdrq.nn.weight_files import broken_cards, cards, find_card

    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    shipped = Path(__file__).parents[2] / "models" / "norvdpnetpp-small-sdr.json"
    held = json.loads(shipped.read_text())
    for name, changed in (("odd", {entry: value}), ("well", {})):
        entries = {k: v for k, v in {**held, "name": name, **changed}.items() if v is not ...}
        (tmp_path / f"{name}.json").write_text(json.dumps(entries))
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match=says):
        find_card("odd")
    assert says in broken_cards()[0][1]
    known = [card.name for card, _ in cards()]
    assert "well" in known
    assert "odd" not in known


@pytest.mark.parametrize("net", names("net"))
@pytest.mark.parametrize("encoding", ["srgb", "pu21"])
def test_every_command_that_gets_weights_is_one_that_can(net: str, encoding: str, monkeypatch) -> None:
    """Before: `models import --as qdnet`, which knows no layout, and `train --metric qdnet`, which needs a dataset."""
    monkeypatch.setattr(weights, "cards", list)
    with pytest.raises(MissingPart) as said:
        weights.default_weights(net, encoding)
    text = str(said.value)
    shelf = find("net", net)
    assert ("hdrq models import FILE" in text) == bool(shelf.layouts)
    for recipe in re.findall(r"hdrq train --recipe (\S+) --data DIR", text):
        entry = find("recipe", recipe)
        assert entry.net == net
        if net in names("metric"):
            assert entry.settings.get("encoding", "pu21") == encoding
    for fetched in re.findall(r"hdrq models fetch ([^,;\s]+)", text):
        assert any((p["name"], p["net"]) == (fetched, net) for p in weight_files.published())
    for metric, task in re.findall(r"--(?:metric|student) (\S+) --(dataset|images)", text):
        assert metric == (net if encoding == "srgb" else f"pu21:{net}")
        assert shelf.training, task
        trained_by_recipe = any(find("recipe", r).net == net for r in names("recipe"))
        assert trained_by_recipe == (task == "dataset")
    assert "train --metric" not in text or "--dataset NAME" in text
    assert "distill" not in text or "--teacher METRIC" in text
    assert ("get some: hdrq" in text) or "none are published" in text


def test_a_network_without_layouts_says_that_it_imports_nothing(tmp_path: Path, run) -> None:
    """Before: supported layouts: none."""
    torch.save({"a": torch.zeros(3)}, tmp_path / "some.pth")
    exit_code, _, err = run("models", "import", tmp_path / "some.pth", "--as", "qdnet")
    assert exit_code == 2
    assert "qdnet has no published weights and imports no files; see how it is trained" in err
    assert err.count("\n") == 1
