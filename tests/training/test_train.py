"""Training: it learns, it resumes to the same bits, and several processes do what one does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.evaluation.statistics.correlation import srocc
from hdrq.nn.weights import span
from hdrq.records import Image
from hdrq.registry import find
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.display_augmentation import DISPLAYS, displayed_code
from hdrq.training.distributed import Processes
from hdrq.training.image_cache import ImageCache
from hdrq.training.loop import Saved, Step, Validation, fit
from hdrq.training.network import factor
from hdrq.training.overrides import adjust, reduced
from hdrq.training.settings import Settings
from hdrq.training.supervised import Supervised, steps_per_epoch

TINY = {"width": 48, "depth": 2, "heads": 3, "mlp": 96, "reduction": 8, "dropout": 0.0, "drop_path": 0.0}
RUN = Settings(
    net="vtamiq",
    options=TINY,
    batch=4,
    patches=48,
    test_patches=64,
    epochs=2,
    rate=2e-3,
    decay=0.0,
    schedule="constant",
)


@pytest.fixture(scope="module")
def items(tmp_path_factory) -> list[Item]:
    """Eight test pictures of two scenes, noisier and noisier."""
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for scene in range(2):
        g = torch.Generator().manual_seed(scene)
        x = torch.nn.functional.interpolate(
            torch.rand(1, 3, 9, 12, generator=g), size=(72, 96), mode="bicubic"
        ).clamp(0, 1)
        ref = folder / f"{scene}.png"
        hdrq.write(ref, Image(x, "srgb"), depth="uint8")
        for level in range(4):
            dist = folder / f"{scene}_{level}.png"
            noise = 0.08 * (level + 0.3) * torch.randn(x.shape, generator=g)
            hdrq.write(dist, Image((x + noise).clamp(0, 1), "srgb"), depth="uint8")
            made.append(Item(str(dist), str(ref), level / 3, str(scene)))
    return made


def steps(records) -> list[float]:
    return [r.loss for r in records if isinstance(r, Step)]


@pytest.mark.exhaustive
def test_a_small_recipe_overfits_eight_pairs(items, tmp_path) -> None:
    torch.set_num_threads(2)
    run = replace(RUN, batch=8, epochs=90, loss={"mae": 1.0, "pearson": 0.5}, schedule="cosine", flips=False)
    last = [r for r in fit(run, items, items, tmp_path) if isinstance(r, Validation)][-1]
    assert last.srocc > 0.95
    assert srocc(last.predicted, [i.label for i in items]) == pytest.approx(last.srocc)


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(items, tmp_path) -> None:
    run = replace(RUN, epochs=4, options={**TINY, "dropout": 0.1, "drop_path": 0.1}, ema=0.9)
    whole = list(fit(run, items, items[:2], tmp_path / "a"))
    reached = False
    for record in fit(run, items, items[:2], tmp_path / "b", save_every=0.0):
        reached = reached or (isinstance(record, Step) and record.step == 5)
        if reached and isinstance(record, Saved):  # in the middle of an epoch of two steps
            break
    rest = list(fit(run, items, items[:2], tmp_path / "b", resume=True))
    assert len(steps(rest)) == len(steps(whole)) - 5
    assert steps(rest) == steps(whole)[-len(steps(rest)) :]
    a, b = (torch.load(tmp_path / f / "best.pt", weights_only=True)["module"] for f in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert (tmp_path / "a" / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()
    assert (tmp_path / "a" / "curves.png").stat().st_size > 1000


def test_a_killed_process_resumes_bit_for_bit(items, tmp_path) -> None:
    script = textwrap.dedent(
        f"""
        import sys, json, torch
        from pathlib import Path
        from hdrq.training.loop import fit
        from hdrq.training.batches import Item
        from hdrq.training.settings import Settings
        torch.set_num_threads(1)
        run = Settings(net="vtamiq", options={TINY!r}, batch=4, patches=48, test_patches=64, epochs=12)
        items = [Item(**i) for i in json.loads(Path(sys.argv[2]).read_text())]
        list(fit(run, items, items[:2], Path(sys.argv[1]), resume=True, save_every=0.0))
        """
    )
    listed = tmp_path / "items.json"
    listed.write_text(json.dumps([vars(i) for i in items]))

    def start(folder: Path) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", script, str(folder), str(listed)])

    assert start(tmp_path / "whole").wait() == 0
    process = start(tmp_path / "cut")
    curve = tmp_path / "cut" / "metrics.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not curve.exists() or curve.read_text().count("\n") < 8):
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert start(tmp_path / "cut").wait() == 0
    a, b = (
        torch.load(tmp_path / f / "last.pt", weights_only=True)["learner"]["module"] for f in ("whole", "cut")
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert (tmp_path / "whole" / "metrics.csv").read_text() == curve.read_text()


def test_two_processes_do_what_one_does(items, tmp_path) -> None:
    script = textwrap.dedent(
        f"""
        import json, sys, torch
        from dataclasses import replace
        from pathlib import Path
        from hdrq.training.loop import Step, fit
        from hdrq.training.batches import Item
        from hdrq.training.settings import Settings
        torch.set_num_threads(1)
        run = Settings(net="vtamiq", options={TINY!r}, batch=4, patches=48, test_patches=64, epochs=2,
                  loss={{"mae": 1.0, "rank": 1.0, "pearson": 1.0}}, target="x", target_display="hdr", align="coral")
        items = [Item(**i) for i in json.loads(Path(sys.argv[2]).read_text())]
        bare = [Item(i.dist, i.ref, None) for i in items]
        records = fit(run, items, items[:2], Path(sys.argv[1]), target=bare)
        losses = [r.loss for r in records if isinstance(r, Step)]
        Path(sys.argv[1], f"losses{{__import__('os').environ.get('RANK', '')}}.json").write_text(json.dumps(losses))
        slow = replace(run, rate=1e-9, epochs=9, patience=1)  # nothing gets better: all stop after two epochs
        found = fit(slow, items, items, Path(sys.argv[1], "slow"), target=bare)
        assert len([r for r in found if isinstance(r, Step)]) == len(losses)
        """
    )
    listed, file = tmp_path / "items.json", tmp_path / "run.py"
    listed.write_text(json.dumps([vars(i) for i in items]))
    file.write_text(script)
    subprocess.run([sys.executable, file, tmp_path / "one", listed], check=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0"]
    subprocess.run(
        [*command, "--standalone", file, tmp_path / "two", listed],
        check=True,
        capture_output=True,
        timeout=300,
    )
    one = json.loads((tmp_path / "one" / "losses.json").read_text())
    two = json.loads((tmp_path / "two" / "losses0.json").read_text())
    assert np.allclose(one, two, rtol=2e-4)


def test_a_process_that_dies_ends_the_training_in_one_line_and_it_resumes(items, tmp_path) -> None:
    script = textwrap.dedent(
        f"""
        import json, os, signal, sys, torch
        from pathlib import Path
        from hdrq.training.loop import Step, fit
        from hdrq.training.batches import Item
        from hdrq.training.distributed import ProcessLost
        from hdrq.training.settings import Settings
        torch.set_num_threads(1)
        run = Settings(net="vtamiq", options={TINY!r}, batch=4, patches=48, test_patches=64, epochs=3)
        items = [Item(**i) for i in json.loads(Path(sys.argv[2]).read_text())]
        epochs = []
        try:
            for record in fit(run, items, items[:2], Path(sys.argv[1]), resume=True, save_every=0.0):
                if isinstance(record, Step):
                    epochs.append(record.epoch)
                    if sys.argv[3] == os.environ["RANK"] and record.epoch == 2:
                        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        except ProcessLost as lost:
            print(lost)
            sys.exit(3)
        print(epochs[0])
        """
    )
    listed, file = tmp_path / "items.json", tmp_path / "run.py"
    listed.write_text(json.dumps([vars(i) for i in items]))
    file.write_text(script)

    def start(dies: str, folder: str = "run") -> list[tuple[int, str]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        command = [sys.executable, file, tmp_path / folder, listed, dies]
        both = [
            subprocess.Popen(
                command, env=os.environ | group | {"RANK": rank}, stdout=subprocess.PIPE, text=True
            )
            for rank in "01"
        ]
        try:
            said = [process.communicate(timeout=600)[0] for process in both]
        finally:
            for process in both:
                process.kill()
        # torch 2.8 tells of its connections on stdout
        own = (
            "\n".join(line for line in text.splitlines() if not line.startswith("[Gloo]")) for text in said
        )
        return [(process.returncode, text) for process, text in zip(both, own, strict=True)]

    (code, said), (killed, _) = start(dies="1")
    assert (code, killed != 0) == (3, True)
    assert len(said.splitlines()) == 1
    assert said.startswith("process 0 of 2 lost another process of the training (")
    assert "--resume" in said
    again = start(dies="")
    assert [code for code, _ in again] == [0, 0]
    assert again[0][1] == "2"  # the first epoch is not done again
    curve = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in curve if line.startswith("validation")] == ["1", "2", "3"]
    assert [code for code, _ in start(dies="", folder="whole")] == [0, 0]
    assert (tmp_path / "whole" / "metrics.csv").read_text().splitlines() == curve
    resumed, whole = (
        torch.load(tmp_path / f / "best.pt", weights_only=True)["module"] for f in ("run", "whole")
    )
    assert all(torch.equal(resumed[k], whole[k]) for k in whole)


def test_unlabelled_targets_take_part_in_the_alignment_only(items, tmp_path) -> None:
    bare = [replace(i, label=None) for i in items]
    run = replace(RUN, target="same", align="coral", align_weight=1.0, epochs=1)
    found = [r for r in fit(run, items, [], tmp_path, target=bare) if isinstance(r, Step)]
    assert all(r.aligned > 0 for r in found)
    labelled = replace(run, align="", target_weight=1.0)
    both = [r for r in fit(labelled, items, [], tmp_path / "l", target=items) if isinstance(r, Step)]
    assert both[0].aligned == 0


def test_alignment_without_a_target_is_refused() -> None:
    with pytest.raises(UsageError, match="--target"):
        replace(RUN, align="coral")


def test_batches_depend_on_their_place_alone(items, tmp_path) -> None:
    feed = BatchLoader(RUN, items, "sdr", ImageCache(tmp_path))
    first, again = (list(feed.batches(3)) for _ in range(2))
    later = list(feed.batches(3, start=1))
    assert all(torch.equal(a.dist, b.dist) for a, b in zip(first, again))
    assert torch.equal(first[1].dist, later[0].dist)
    assert not torch.equal(first[0].dist, next(iter(feed.batches(4))).dist)


def test_threads_may_ask_for_the_same_picture_at_once(items, tmp_path) -> None:
    """Each time a fresh folder, so that all of them find it missing and decode it together."""
    path, workers = items[0].ref, 8
    whole = ImageCache(tmp_path / "alone").get(path)
    with ThreadPoolExecutor(workers) as pool:
        for i in range(10):
            pixels, gate = ImageCache(tmp_path / str(i)), Barrier(workers)

            def ask(_: int, pixels: ImageCache = pixels, gate: Barrier = gate) -> np.ndarray:
                gate.wait()
                return pixels.get(path)

            assert all(np.array_equal(found, whole) for found in pool.map(ask, range(workers)))
            assert len(list(pixels.folder.iterdir())) == 1


def test_training_screens_follow_the_papers_distributions() -> None:
    random = torch.Generator().manual_seed(0)
    for name, peak, sd in (("sdr", 100, 10), ("hdr", 5000, 500)):
        drawn = [DISPLAYS[name].draw(random) for _ in range(2000)]
        peaks, lux = np.array([d.peak_nits for d in drawn]), np.array([d.ambient_lux for d in drawn])
        assert peaks.mean() == pytest.approx(peak, rel=0.02)
        assert peaks.std() == pytest.approx(sd, rel=0.1)
        assert lux.mean() == pytest.approx(100, rel=0.03)
        assert np.allclose([d.black_nits for d in drawn], peaks / DISPLAYS[name].contrast)


@pytest.mark.shared
def test_the_screen_and_the_code_are_the_papers(shared) -> None:
    """parity/pu_pq_display.npz, HDR-IQA-dom-adapt abbf42b: display wrapper without jitter, Pmax, mean and sd 0.5."""
    p = np.load(shared / "parity" / "pu_pq_display.npz")
    x = torch.from_numpy(p["wrapper_x"])
    black, white = span(RUN.encoding, RUN.white)
    for screen, key in (("sdr", "wrapper_sdr_pmax_half"), ("hdr", "wrapper_hdrlike_pmax_half")):
        ours = ((displayed_code(x, screen, "pu21", None) - black) / (white - black) - 0.5) / 0.5
        assert (ours - torch.from_numpy(p[key])).abs().max() < 1e-5


def test_the_spread_of_displays_is_a_setting() -> None:
    peaks = {}
    for spread in (0.0, 1.0, 2.0):
        random = torch.Generator().manual_seed(3)
        peaks[spread] = [DISPLAYS["sdr"].draw(random, spread) for _ in range(5)]
    assert {(d.peak_nits, d.ambient_lux) for d in peaks[0.0]} == {(100.0, 100.0)}
    for one, two in zip(peaks[1.0], peaks[2.0]):
        assert two.peak_nits - 100 == pytest.approx(2 * (one.peak_nits - 100))
        assert two.ambient_lux - 100 == pytest.approx(2 * (one.ambient_lux - 100))


def test_losses_of_the_domains_have_weights_and_batches_of_their_own(items, tmp_path) -> None:
    run = replace(RUN, epochs=1, steps=1)

    def first(folder: str, **more) -> float:
        settings = replace(run, target="same", target_labels="loss", **more)
        return steps(fit(settings, items, [], tmp_path / folder, target=items))[0]

    both = first("both")
    source, target = first("s", target_weight=0.0), first("t", source_weight=0.0)
    assert both == pytest.approx(source + target, rel=1e-4)
    assert first("w", source_weight=3.0) == pytest.approx(3 * source + target, rel=1e-4)
    assert source != pytest.approx(target, rel=1e-3)
    other = replace(run, target="same", target_labels="loss", target_batch=2)
    assert steps_per_epoch(other, 8, 8) == 4
    pixels = ImageCache(tmp_path / "pixels")
    start = Supervised(other, items, items, pixels, torch.device("cpu"), lambda module: None, Processes())
    assert len(next(start.source.batches(0)).dist) == 4
    assert len(next(start.target.batches(0)).dist) == 2


def test_rates_fall_as_named() -> None:
    assert factor("exponential", 1.0, 0.01) == pytest.approx(0.01)
    assert factor("cosine", 0.5, 0.0) == pytest.approx(0.5)
    assert factor("steps", 0.6, 0.1) == pytest.approx(0.1)
    assert factor("constant", 0.9, 0.1) == 1
    assert factor("cosine", 0.05, 0.0, warmup=0.1) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("ratee", "1", "no setting"),
        ("rate", "fast", "is a number"),
        ("rate", "-1", "positive"),
        ("batch", "2.5", "whole number"),
        ("schedule", "linear", "is one of"),
        ("flips", "maybe", "true or false"),
        ("holdout", "1.5", "share"),
        ("white", "256", "is one of"),
        ("source_weight", "-1", "must not be negative"),
        ("target_batch", "-2", "must not be negative"),
    ],
)
def test_a_wrong_setting_is_refused(key: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        adjust(RUN, {key: value})


def test_settings_take_texts() -> None:
    run = adjust(RUN, {"rate": "3e-5", "loss.rank": "0.5", "options.depth": "3", "align_weight": "0.1"})
    assert (run.rate, run.loss["rank"], run.options["depth"], run.align_weight) == (3e-5, 0.5, 3, 0.1)
    assert run.digest != RUN.digest


def test_a_smoke_test_is_small_and_keeps_what_is_smaller() -> None:
    names = ("batch", "patches", "test_patches", "crop", "margin", "target_batch", "epochs", "steps")
    large = {
        "batch": "16",
        "patches": "500",
        "test_patches": "900",
        "crop": "512",
        "margin": "40",
        "target_batch": "9",
    }
    small = reduced(adjust(RUN, {**large, "epochs": "7"}))
    assert [getattr(small, n) for n in names] == [2, 32, 32, find("net", RUN.net).side, 8, 2, 1, 4]
    few = {"batch": "1", "patches": "5", "crop": "24", "margin": "3", "target_batch": "1"}
    small = reduced(adjust(RUN, few), ["epochs"])
    assert [getattr(small, n) for n in names] == [1, 5, 32, 24, 3, 1, 1, 0]
