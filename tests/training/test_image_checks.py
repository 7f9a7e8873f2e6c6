"""Images are read before a training starts: what is missing, broken, too small or of another kind is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import HdrqError, TooLarge, UsageError
from hdrq.records import Image
from hdrq.training import estimate
from hdrq.training.batches import Item
from hdrq.training.estimate import refuse_too_large
from hdrq.training.image_checks import Checked, Frame, Part, check_images
from hdrq.training.overrides import adjust
from hdrq.training.settings import Settings

COMMAND = ("train", "--dataset", "csv", "--set", "epochs=1", "--device", "cpu", "--data")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """24 images of six scenes with references, and one of every kind that does not fit, in no table yet."""
    folder = tmp_path_factory.mktemp("images")
    random = torch.Generator().manual_seed(0)

    def write(name: str, h: int = 72, w: int = 80) -> None:
        hdrq.write(folder / name, Image(torch.rand(1, 3, h, w, generator=random), "srgb"), depth="uint8")

    for i in range(24):
        write(f"{i}.png")
    write("small.png", 40, 44)
    write("tiny.png", 12, 12)
    write("other.png", 72, 72)
    hdrq.write(folder / "light.exr", Image(torch.rand(1, 3, 72, 80, generator=random) * 100, "nits"))
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    return folder


def table(images: Path, *more: str) -> Path:
    """A manifest of the 24 images and of further rows "dist,ref"."""
    lines = ["dist,ref,mos,scene", *(f"{i}.png,{i}.png,{i},s{i % 6}" for i in range(24))]
    path = images / "table.csv"
    path.write_text("\n".join([*lines, *(f"{row},{50 + i},s{i % 6}" for i, row in enumerate(more))]) + "\n")
    return path


CASES = [
    ("norvdpnet++", ["gone.png,0.png"], "gone.png does not exist"),
    ("norvdpnet++", ["gone.png,0.png", "lost.png,0.png"], "(2 images are missing)"),
    ("pu-vtamiq", ["other.png,gone.png"], "gone.png does not exist"),
    ("norvdpnet++", ["broken.png,0.png"], "broken.png is truncated"),
    ("pu-vtamiq", ["other.png,0.png"], "differ in size"),
    ("norvdpnet++", ["light.exr,0.png"], "light.exr holds light and"),
    ("pu-vtamiq", ["light.exr,light.exr"], "light.exr holds light and"),
    ("pu-vtamiq", ["light.exr,0.png"], "holds light, but"),
    ("norvdpnet++", ["small.png,0.png"], "small.png is 44x40, but norvdpnetpp needs 64"),
    ("pu-vtamiq", ["tiny.png,tiny.png"], "tiny.png is 12x12, smaller than a patch"),
]


@pytest.mark.parametrize(("metric", "rows", "says"), CASES)
def test_a_dry_run_finds_the_one_image_that_the_training_cannot_use(run, images, metric, rows, says) -> None:
    code, _, err = run(*COMMAND, table(images, *rows), "-m", metric, "--dry-run")
    assert code == 2
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(("metric", "rows", "says"), CASES)
def test_the_training_stops_before_its_first_step_and_leaves_no_folder(images, metric, rows, says) -> None:
    path, seen = table(images, *rows), []

    def train() -> None:
        asked = {"dataset": "csv", "data": path, "metric": metric, "device": "cpu", "output": "r"}
        seen.extend(type(record).__name__ for record in hdrq.train(**asked, settings={"epochs": 1}))

    with pytest.raises(HdrqError) as found:
        train()
    assert set(seen) <= {"Checked"}
    assert says in str(found.value)
    assert not Path("r").exists()


def test_images_below_the_crop_are_named_with_a_crop_that_fits(run, images) -> None:
    code, _, err = run(*COMMAND, table(images), "-m", "norvdpnet++", "--dry-run", "--set", "crop=96")
    assert code == 2
    assert (
        "0.png is 80x72, smaller than the crop of 96 (20 such images); leave it out, or add --set crop=72"
        in err
    )


@pytest.mark.parametrize("name", [f for f, v in vars(Settings("")).items() if isinstance(v, int | float)])
def test_every_number_among_the_settings_has_ends(name: str) -> None:
    """None of them takes -1, a number that is not one, or infinity; no count takes 10^12."""
    usual = getattr(Settings(""), name)
    for value in (
        "-1",
        "NaN",
        "Infinity",
        "",
        "[]",
        "null",
        "9" * 400,
        *(["1" + "0" * 12] * isinstance(usual, int)),
    ):
        with pytest.raises(UsageError, match=name):
            adjust(Settings(""), {name: value})


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "true", "[]", "x", "null"])
@pytest.mark.parametrize("name", ["loss.mae", "terms.kl"])
def test_weights_of_losses_are_finite_and_not_negative(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        adjust(Settings(""), {name: value})


def test_a_training_needs_a_loss() -> None:
    for weights in ({"loss": "{}"}, {"loss.mae": "0"}):
        with pytest.raises(UsageError, match="no weight above 0"):
            adjust(Settings(""), weights)


def test_a_step_that_does_not_fit_in_memory_is_refused_with_a_batch_that_might(monkeypatch) -> None:
    monkeypatch.setattr(estimate, "free_bytes", lambda: 2**30)
    cpu = torch.device("cpu")
    refuse_too_large(2**30, 8, cpu)
    with pytest.raises(TooLarge, match=r"a batch of 8 needs about 2.0 GiB, and 1.0 .* try --set batch=4"):
        refuse_too_large(2 * 2**30, 8, cpu)
    with pytest.raises(TooLarge, match=r"try --set batch=2$"):
        refuse_too_large(3 * 2**30, 8, cpu)
    with pytest.raises(TooLarge, match="a smaller network"):
        refuse_too_large(9 * 2**30, 8, cpu)


def test_a_dry_run_says_how_much_memory_a_batch_needs_and_refuses_too_much(run, images) -> None:
    def asked(batch: int) -> tuple[int, str, str]:
        few = ("--set", "patches=4", "--set", "test_patches=4", "--set", f"batch={batch}")
        return run(*COMMAND, table(images), "-m", "pu-vtamiq", "--dry-run", *few)

    code, out, err = asked(4)
    assert code == 0, err
    assert "GiB of cpu for a batch of 4" in out
    code, _, err = asked(10**8)
    assert code == 2
    # one that fits
    fits = int(err.rpartition("try --set batch=")[2])
    assert asked(fits)[0] == 0
    assert asked(4 * fits)[0] == 2


def test_a_reference_of_many_images_is_read_once() -> None:
    seen: list[str] = []

    def look(path: str) -> Frame:
        seen.append(path)
        return Frame((96, 96), False)

    items = [Item(f"{i}.png", "ref.png", 0.5, "") for i in range(60)]
    settings = Settings("norvdpnet", input="whole", encoding="srgb")
    *_, last = check_images(settings, (Part(items, "code"),), look)
    assert last == Checked(60, 60)
    assert len(set(seen)) == 61
    assert seen.count("ref.png") <= 8  # as many as begin at once


def test_resuming_a_folder_without_a_training_says_so_and_asks_for_no_dataset(run, tmp_path) -> None:
    code, _, err = run("train", "--resume", "-o", str(tmp_path / "nothing"))
    assert code == 2
    assert "nothing holds no training to resume; leave out --resume" in err
