"""Ablations of the HDR adaptation paper as settings, crops of any shape, and whole images of several sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.training.batches import Batch, BatchLoader, Item
from hdrq.training.distributed import Processes
from hdrq.training.image_cache import ImageCache
from hdrq.training.image_checks import Part, check_images, from_files
from hdrq.training.layers import refuse_ablation, rows
from hdrq.training.loop import Step, Validation, fit
from hdrq.training.network import build_apart, forward
from hdrq.training.overrides import adjust
from hdrq.training.settings import Settings
from hdrq.training.supervised import Supervised
from hdrq.training.validation import predict

TINY = {"width": 48, "depth": 3, "heads": 3, "mlp": 96, "reduction": 8, "dropout": 0.0, "drop_path": 0.0}
RUN = Settings(net="vtamiq", options=TINY, batch=2, patches=16, test_patches=16, epochs=1, rate=1e-3)
CPU = torch.device("cpu")


def pictures(folder: Path, sizes: list[tuple[int, int]]) -> list[Item]:
    """Noise of these sizes beside references of grey."""
    found = []
    for i, (h, w) in enumerate(sizes):
        g = torch.Generator().manual_seed(i)
        ref, dist = folder / f"{i}.png", folder / f"{i}_d.png"
        hdrq.write(ref, Image(torch.full((1, 3, h, w), 0.5), "srgb"), depth="uint8")
        hdrq.write(dist, Image(torch.rand(1, 3, h, w, generator=g), "srgb"), depth="uint8")
        found.append(Item(str(dist), str(ref), i / max(1, len(sizes) - 1), str(i)))
    return found


def learner(settings: Settings, items: list[Item], folder: Path) -> Supervised:
    return Supervised(settings, items, items, ImageCache(folder), CPU, lambda m: None, Processes())


def test_the_layer_that_is_aligned_is_a_setting(tmp_path) -> None:
    """The class token of both images after the first block, whose gradient reaches this block and not the next."""
    items = pictures(tmp_path, [(72, 96)] * 4)
    adapted = replace(RUN, target="same", align="coral", align_weight=1.0, align_layer="transformer.blocks.0")
    run = learner(adapted, items, tmp_path / "c")
    batch = run.source.batch(items[:2], (0, 0))
    found = forward(run.module, adapted, batch)
    assert found.features.shape == (4, 48)
    usual = forward(run.module, RUN, batch)
    torch.testing.assert_close(found.q, usual.q)
    assert not torch.allclose(found.features, usual.features)
    tokens = run.module.transformer.embed.headed(
        run.module.tokens(*(batch.ref * 2 - 1, batch.dist * 2 - 1), batch.place)
    )
    assert found.features.shape == run.module.transformer.blocks[0](tokens)[:, 0].shape
    (loss := run.align(found.features, found.features.detach() * 1.5 + 0.1 * torch.randn(4, 48))).backward()
    assert float(loss.detach()) > 0
    blocks = run.module.transformer.blocks
    assert blocks[0].fc1.weight.grad is not None
    assert blocks[1].fc1.weight.grad is None


@pytest.mark.parametrize("align", ["coral", "adversary"])
@pytest.mark.parametrize("layer", ["transformer.blocks.1", "decoder", "head.1"])
def test_training_aligns_any_layer(align: str, layer: str, tmp_path) -> None:
    items = pictures(tmp_path, [(72, 96)] * 4)
    run = replace(RUN, target="same", align=align, align_weight=1.0, align_layer=layer)
    found = [r for r in fit(run, items, [], tmp_path / "run", target=items) if isinstance(r, Step)]
    assert found
    assert all(r.aligned > 0 for r in found)


def test_maps_of_convolutions_are_averaged_to_2x2_as_those_of_pieapps_last_layer() -> None:
    maps = torch.rand(3, 5, 8, 8)
    assert torch.allclose(rows(maps), maps.unflatten(3, (2, 4)).unflatten(2, (2, 4)).mean((3, 5)).flatten(1))
    assert torch.equal(rows(maps[..., :2, :2]), maps[..., :2, :2].flatten(1))
    assert torch.equal(rows(maps[..., 0]), maps[:, 0, :, 0])
    with pytest.raises(UsageError, match="no output of features"):
        rows((maps,))


def test_a_layer_that_is_not_there_or_not_used_is_refused(tmp_path) -> None:
    run = replace(RUN, target="same", align="coral", align_layer="transformer.blocks.7")
    with pytest.raises(UsageError, match=r"no layer 'transformer\.blocks\.7'; transformer\.blocks has"):
        refuse_ablation(run, build_apart(run))
    items = pictures(tmp_path, [(72, 96)] * 2)
    last = replace(run, align_layer="transformer.blocks.2")  # computed for the class token alone
    with pytest.raises(UsageError, match=r"does not use transformer\.blocks\.2 as a whole"):
        learner(last, items, tmp_path / "c")
    with pytest.raises(UsageError, match="add --da"):
        replace(RUN, align_layer="decoder")


def test_patches_of_the_reference_lie_elsewhere_where_they_are_not_aligned(tmp_path) -> None:
    """Both images are a ramp, so that the mean of a patch says where it was cut."""
    ramp = ((torch.arange(96) + 0.5) / 96).expand(1, 3, 72, 96)
    for name in ("ref.png", "dist.png"):
        hdrq.write(tmp_path / name, Image(ramp, "srgb"), depth="uint16")
    items = [Item(str(tmp_path / "dist.png"), str(tmp_path / "ref.png"), 0.0)]
    code = replace(RUN, encoding="srgb", white="sdr", source_display="code", flips=False)

    def batch(settings: Settings, key: tuple[int, int] | None = (0, 0)) -> Batch:
        return BatchLoader(settings, items, "code", ImageCache(tmp_path / "c")).batch(items, key)

    other = replace(code, aligned=False)
    for key in ((0, 0), None):
        same, apart = batch(code, key), batch(other, key)
        assert same.place_dist is None
        assert torch.equal(same.ref, same.dist)
        assert not torch.equal(apart.place, apart.place_dist)
        for patches, place in ((apart.ref, apart.place), (apart.dist, apart.place_dist)):
            assert torch.allclose(patches.mean((2, 3, 4)), place[..., 1], atol=0.02)
    module = build_apart(code).eval()
    assert not torch.allclose(forward(module, code, same).q, forward(module, other, apart).q)
    with pytest.raises(UsageError, match="input=patches"):
        Settings("norvdpnetpp", input="whole", aligned=False)
    pairs = Settings("pieapp", aligned=False)
    with pytest.raises(UsageError, match="pieapp compares patches at the same places"):
        refuse_ablation(pairs, build_apart(pairs))


BLIND = Settings(
    net="norvdpnetpp",
    options={"widths": [4, 4, 8, 8, 8], "channels": 3},
    encoding="srgb",
    white="sdr",
    source_display="code",
    input="crops",
    batch=2,
    flips=False,
)


def test_a_crop_may_be_a_rectangle(tmp_path) -> None:
    settings = adjust(BLIND, {"crop": "96x64"})
    assert (settings.crop, settings.frame) == (64, (64, 96))
    items = [replace(i, ref=None) for i in pictures(tmp_path, [(80, 120), (64, 96)])]
    loader = BatchLoader(settings, items, "code", ImageCache(tmp_path / "c"))
    assert loader.batch(items, (0, 0)).dist.shape == (2, 3, 64, 96)
    list(check_images(settings, [Part(items, "code")], from_files(settings.reading)))
    narrow = [replace(i, ref=None) for i in pictures(tmp_path, [(80, 90)])]
    with pytest.raises(UsageError, match=r"90x80, smaller than the crop of 96x64; .*crop=90x64"):
        list(check_images(settings, [Part(narrow, "code")], from_files(settings.reading)))
    assert adjust(BLIND, {"crop": "96"}).frame == (96, 96)
    for wrong in ("96x", "x64", "0x64", "axb"):
        with pytest.raises(UsageError, match="WxH such as 1024x768"):
            adjust(BLIND, {"crop": wrong})


def test_whole_images_of_several_sizes_are_put_into_batches_of_one_size(tmp_path) -> None:
    """Every image is seen, also the only one of its size; sizes alternate, and a resumed epoch has the same batches."""
    sizes = [(64, 80), (80, 64), (64, 80), (80, 64), (96, 96), (64, 80)]
    items = [replace(i, ref=None) for i in pictures(tmp_path, sizes)]
    settings = replace(BLIND, input="whole", epochs=2)
    loader = BatchLoader(settings, items, "code", ImageCache(tmp_path / "c"))
    batches = list(loader.batches(0))
    assert len(batches) == loader.steps() == 3
    assert sorted(tuple(b.dist.shape) for b in batches) == [(1, 3, 96, 96), (2, 3, 64, 80), (2, 3, 80, 64)]
    later = list(loader.batches(0, start=1))
    assert all(torch.equal(a.dist, b.dist) for a, b in zip(batches[1:], later, strict=True))
    orders = {tuple(tuple(b.dist.shape[-2:]) for b in loader.batches(e)) for e in range(8)}
    assert len(orders) > 1
    found = list(fit(settings, items, items, tmp_path / "run"))
    assert [r for r in found if isinstance(r, Validation)]
    module = build_apart(settings).eval()
    each = torch.cat([torch.from_numpy(predict(module, settings, loader, [i], CPU)) for i in items])
    together = torch.from_numpy(predict(module, settings, loader, items, CPU))
    torch.testing.assert_close(together, each)
