"""What the tests of object stores share: three pairs in the store, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner

import hdrq
from hdrq.cli.score import score as score_command
from hdrq.records import Image


def light(seed: int, side: int = 24) -> Image:
    random = torch.Generator().manual_seed(seed)
    return Image(5 + 90 * torch.rand(1, 3, side, side, generator=random))


def three_pairs(store: Any, home: Path) -> Path:
    """Three references and three test images with a manifest, in the folder `home` and in the store's pictures/set."""
    lines = ["ref,dist,note"]
    for folder in ("refs", "dists"):
        (home / folder).mkdir()
        for i in range(3):
            hdrq.write(home / folder / f"p{i}.exr", light(i + 10 * (folder == "dists")), depth="float")
    lines += [f"refs/p{i}.exr,dists/p{i}.exr,n{i}" for i in range(3)]
    (home / "list.csv").write_text("\n".join(lines) + "\n")
    for path in home.rglob("*.*"):
        store.put_file(str(path), f"pictures/set/{path.relative_to(home).as_posix()}")
    return home


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(score_command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output
