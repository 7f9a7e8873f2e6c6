"""Disk space of the images of a distillation."""

from __future__ import annotations

from types import SimpleNamespace

from hdrq.distillation.student import bytes_needed, channels_of
from hdrq.training.settings import Settings


def test_stored_images_take_two_bytes_a_value() -> None:
    rows = [SimpleNamespace(size=(32, 32), source=f"s{i // 2}", view=0) for i in range(4)]
    blind, paired = (Settings(net) for net in ("norvdpnet", "vtamiq"))
    assert bytes_needed(rows, blind) == 4 * 32 * 32 * channels_of(blind) * 2  # type: ignore[arg-type]
    assert bytes_needed(rows, paired) == (4 + 2) * 32 * 32 * 3 * 2  # type: ignore[arg-type]
    assert bytes_needed([], blind) == 0
