"""Check every metric, operator, distortion and network on a GPU against the CPU, then measure it there.

    python bench/gpu.py --json runs/gpu.json            # make gpu
    python bench/gpu.py --device cpu --small            # the same code without a GPU, on small images

Checks: values and gradients of every metric, two runs alike, every tone mapper, expander and encoding, a merge, and
the sampler's Triton kernel bit for bit. A check that fails is listed and ends the program with exit code 1.
Measurements: images per second of every metric at 1080p and 4K, batches of 1 and 8; what the sampler reads per second
beside a copy of the same bytes; VTAMIQ (ViT-B/16) inference and training steps; tone mapping; merging. Times are of the
device's own clock after a warm-up, the median of the rounds. Parts that do not fit the time left are listed as not run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import hdrq
from hdrq.errors import HdrqError, MissingPart, TooLarge
from hdrq.records import Image
from hdrq.registry import find, names

TOLERANCE = 2e-4  # of values, relative to 1 + |value|: float32 sums in another order
SLOPE = 5e-3  # of gradients, the norm of the difference relative to the norm
LIGHT = ("nits", "linear")


@dataclass(frozen=True)
class Row:
    """One line of the outcome. figure: largest relative difference of a check, or the measured number."""

    part: str
    name: str
    figure: float | None
    unit: str
    state: str = "ok"  # "ok", "differs", "failed", "not run"
    note: str = ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="small images and one round")
    parser.add_argument("--only", default="", help="entries, comma-separated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=8.0, help="no part begins after this time")
    parser.add_argument("--json", default="", help="file for the numbers")
    parser.add_argument("--page", default="", help="page of documentation whose GPU table is replaced")
    asked = parser.parse_args(arguments)
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device is here; --device cpu --small tries the program", file=sys.stderr)
        return 3
    bench = Bench(
        torch.device(asked.device), asked.small, set(filter(None, asked.only.split(","))), asked.rounds
    )
    end, rows = time.monotonic() + 60 * asked.minutes, []
    for part in (bench.checks, bench.measurements):
        for job in part():
            row = job() if time.monotonic() < end else Row("time", "further parts", None, "", "not run")
            rows.append(row)
            print(
                f"{row.part:14} {row.name:34} {_figure(row.figure):>12} {row.unit:14} {row.state} {row.note}",
                flush=True,
            )
            if row.part == "time":
                break
    if asked.json:
        Path(asked.json).parent.mkdir(parents=True, exist_ok=True)
        Path(asked.json).write_text(
            json.dumps({**about(bench.device), "rows": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    if asked.page:
        publish(Path(asked.page), about(bench.device), rows)
    bad = [r for r in rows if r.state in ("differs", "failed")]
    print(
        f"{len(rows)} rows, {len(bad)} that differ or failed"
        + "".join(f"\n  {r.part} {r.name}: {r.note}" for r in bad)
    )
    return 1 if bad else 0


def about(device: torch.device) -> dict[str, Any]:
    """What the numbers are of."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"device": name, "when": when, "torch": torch.__version__, "hdrq": hdrq.__version__}


def publish(page: Path, made: dict[str, Any], rows: list[Row]) -> None:
    """Replace what stands between the marks of the GPU table by the measurements of this run."""
    begin, end = "<!-- gpu: written by bench/gpu.py -->", "<!-- /gpu -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    checks = [r for r in rows if r.part != "speed" and r.figure is not None]
    lines = [
        f"{made['device']}, torch {made['torch']}, {made['when'][:10]}: {len(checks)} checks against the CPU, "
        f"{sum(r.state == 'ok' for r in checks)} of them within the tolerance.",
        "",
        "| what | figure | unit | |",
        "|---|---|---|---|",
        *(f"| {r.name} | {_figure(r.figure)} | {r.unit} | {r.note} |" for r in rows if r.part == "speed"),
    ]
    page.write_text("\n".join([before + begin, *lines, end]) + after, encoding="utf-8")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


class Bench:
    """All parts of one run on one device."""

    def __init__(self, device: torch.device, small: bool, only: set[str], rounds: int) -> None:
        self.device, self.small, self.only = device, small, only
        self.rounds = 1 if small else rounds
        self.cpu = torch.device("cpu")

    def chosen(self, kind: str) -> list[str]:
        return [n for n in names(kind) if not self.only or n in self.only]

    # checks

    def checks(self) -> Iterator[Callable[[], Row]]:
        for name in self.chosen("metric"):
            yield lambda name=name: self.guarded("metric", name, self.compare_metric)
        for kind in ("tonemapper", "expander", "encoding"):
            for name in self.chosen(kind):
                yield lambda kind=kind, name=name: self.guarded(kind, name, self.compare_operator, kind)
        if not self.only or "merge" in self.only:
            yield lambda: self.guarded("merge", "three exposures", self.compare_merge)
        if not self.only or "sampler" in self.only:
            yield lambda: self.guarded("sampler", "patches", self.compare_sampler)

    def guarded(self, part: str, name: str, check: Callable[..., Row], *more: Any) -> Row:
        try:
            return check(name, *more)
        except MissingPart as error:
            return Row(part, name, None, "", "not run", str(error).partition(";")[0])
        except (TooLarge, torch.OutOfMemoryError) as error:
            return Row(part, name, None, "", "not run", f"out of memory: {error}"[:120])
        except Exception as error:  # whatever it is, the other checks go on
            return Row(part, name, None, "", "failed", f"{type(error).__name__}: {error}"[:200])

    def compare_metric(self, name: str) -> Row:
        """Value and gradient of a pair on both devices, and the value twice on the device."""
        text, images = self.request(name)
        values, slopes = [], []
        for device in (self.cpu, self.device, self.device):
            metric = hdrq.metric(text, device=device)
            given = [self.on(device, image) for image in images]
            trains = find("metric", name).card.trainable and metric.scorer.metric.card.net is None
            if trains:
                given[-1] = given[-1].with_pixels(given[-1].pixels.clone().requires_grad_())
            value = metric(*given)
            values.append(value.detach().double().cpu())
            if trains and value.requires_grad:
                value.sum().backward()
                slopes.append(given[-1].pixels.grad.double().cpu())
        apart = float(((values[0] - values[1]).abs() / (1 + values[0].abs())).max())
        notes = [] if apart <= TOLERANCE else [f"{values[0].tolist()} on the CPU, {values[1].tolist()} here"]
        if not torch.equal(values[1], values[2]):
            notes.append("two runs differ")
        if len(slopes) == 3:
            lean = float((slopes[0] - slopes[1]).norm() / slopes[0].norm().clamp(min=1e-30))
            if not lean <= SLOPE:
                notes.append(f"gradients differ by {lean:.2g}")
        return Row("metric", text, apart, "relative", "differs" if notes else "ok", "; ".join(notes))

    def compare_operator(self, name: str, kind: str) -> Row:
        """A tone mapper, an expander or an encoding of one scene, on both devices."""
        light = self.scene(1)
        entry = find(kind, name)
        if kind == "encoding":
            results = [entry.encode(light.to(d), 100.0).cpu() for d in (self.cpu, self.device)]
        else:
            given = light if kind == "tonemapper" else (light / light.max()) ** (1 / 2.2)
            results = [entry(given.to(d)).cpu() for d in (self.cpu, self.device)]
        apart = float((results[0] - results[1]).abs().max() / results[0].abs().max().clamp(min=1e-30))
        state = "ok" if apart <= 1e-3 else "differs"
        return Row(
            kind, name, apart, "relative", state, "" if state == "ok" else f"largest difference {apart:.2g}"
        )

    def compare_merge(self, name: str) -> Row:
        frames = self.exposures()
        found = [
            hdrq.merge(frames, times=[1, 4, 16], device=str(d)).image.pixels.cpu()
            for d in (self.cpu, self.device)
        ]
        apart = float(((found[0] - found[1]).abs() / found[0].abs().clamp(min=1e-6)).median())
        return Row(
            "merge",
            name,
            apart,
            "relative",
            "ok" if apart <= 1e-3 else "differs",
            "median difference of a pixel",
        )

    def compare_sampler(self, name: str) -> Row:
        """Patches by the device's kernel (Triton on CUDA) and by torch on the CPU, bit for bit."""
        from hdrq.scoring.sampling import cut, plan

        images = self.scene(2)
        drawn = plan((images.shape[-2], images.shape[-1]), 64, scales=3)
        same = torch.equal(cut(images, drawn), cut(images.to(self.device), drawn).cpu())
        return Row("sampler", name, 0.0 if same else 1.0, "", "ok" if same else "differs", "bit for bit")

    # measurements

    def measurements(self) -> Iterator[Callable[[], Row]]:
        sizes = {"64x96": (64, 96)} if self.small else {"1080p": (1080, 1920), "4K": (2160, 3840)}
        for name in self.chosen("metric"):
            for size, shape in sizes.items():
                for batch in (1,) if self.small else (1, 8):
                    yield lambda n=name, s=size, hw=shape, b=batch: self.guarded(
                        "speed", n, self.time_metric, s, hw, b
                    )
        for name in self.chosen("tonemapper"):
            yield lambda n=name: self.guarded("speed", n, self.time_operator)
        if not self.only or "merge" in self.only:
            yield lambda: self.guarded("speed", "merge", self.time_merge)
        if not self.only or "sampler" in self.only:
            yield lambda: self.guarded("speed", "sampler", self.time_sampler)
        if not self.only or "vtamiq" in self.only:
            yield lambda: self.guarded("speed", "vtamiq", self.time_inference)
            yield lambda: self.guarded("speed", "vtamiq", self.time_training)

    def time_metric(self, name: str, size: str, shape: tuple[int, int], batch: int) -> Row:
        side = find("metric", name).card.side
        if self.small and min(shape) < side:
            shape = (side, side + 8)
        text, images = self.request(name, shape, batch)
        metric = hdrq.metric(text, device=self.device)
        given = [self.on(self.device, image) for image in images]
        with torch.inference_mode():
            seconds = self.clocked(lambda: metric(*given))
        return Row("speed", f"{text} {size} batch {batch}", batch / seconds, "images/s")

    def time_operator(self, name: str) -> Row:
        operator, light = (
            find("tonemapper", name),
            self.scene(1, None if self.small else (1080, 1920)).to(self.device),
        )
        with torch.inference_mode():
            return Row("speed", f"{name} 1080p", 1 / self.clocked(lambda: operator(light)), "images/s")

    def time_merge(self, name: str) -> Row:
        frames = self.exposures(None if self.small else (1000, 1500))
        seconds = self.clocked(
            lambda: hdrq.merge(frames, times=[1, 4, 16], align="none", device=str(self.device))
        )
        return Row("speed", "merge of three frames", seconds, "s")

    def time_sampler(self, name: str) -> Row:
        """Bytes of the touched pixels a second, beside a copy of as many bytes."""
        from hdrq.scoring.sampling import cut, plan

        images = self.scene(2, None if self.small else (1080, 1920)).to(self.device)
        drawn = plan(
            (images.shape[-2], images.shape[-1]), 64 if self.small else 2048, scales=1 if self.small else 5
        )
        size = (
            sum(n * (drawn.patch << level) ** 2 for level, n in enumerate(drawn.counts)) * 3 * 4 * len(images)
        )
        block = torch.zeros(size // 4, device=self.device)
        copied, cutting = self.clocked(block.clone), self.clocked(lambda: cut(images, drawn))
        note = f"{cutting / copied:.2g} times the time of a copy of these bytes"
        return Row(
            "speed", f"{name}, {sum(drawn.counts)} patches", size / cutting / 1e9, "GB/s read", note=note
        )

    def time_inference(self, name: str) -> Row:
        net, pair = self.network(name)
        with torch.inference_mode():
            seconds = self.clocked(lambda: net(*pair))
        return Row("speed", f"{name} forward, {pair[0].shape[1]} patches", 1 / seconds, "images/s")

    def time_training(self, name: str) -> Row:
        net, pair = self.network(name)
        net.train().requires_grad_(True)
        optimiser = torch.optim.AdamW(net.parameters(), lr=1e-5)

        def step() -> None:
            optimiser.zero_grad()
            found = net(*pair)
            (found[0] if isinstance(found, tuple) else found).sum().backward()
            optimiser.step()

        return Row(
            "speed", f"{name} training step, {pair[0].shape[1]} patches", 1 / self.clocked(step), "steps/s"
        )

    def clocked(self, work: Callable[[], Any]) -> float:
        """Seconds of one run: the median of the rounds after one that does not count."""
        found = []
        for n in range(self.rounds + 1):
            self.wait()
            begun = time.perf_counter()
            work()
            self.wait()
            found += [time.perf_counter() - begun] if n else []
        return statistics.median(found)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    # what is worked on

    def scene(self, count: int, shape: tuple[int, int] | None = None) -> Tensor:
        """(N, 3, H, W) light, cd/m²: a smooth random scene of about four decades with grain."""
        h, w = shape or ((64, 96) if self.small else (270, 480))
        random = torch.Generator().manual_seed(0)
        coarse = torch.randn(count, 3, h // 16 + 2, w // 16 + 2, generator=random)
        smooth = torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")
        return 10 ** (1.3 + 0.7 * smooth + 0.03 * torch.randn(count, 3, h, w, generator=random))

    def request(
        self, name: str, shape: tuple[int, int] | None = None, batch: int = 1
    ) -> tuple[str, list[Image]]:
        """The text of a metric that reads what it is given here, and its images."""
        card = find("metric", name).card
        side = max(card.side, 64)
        shape = shape or ((side, side + 32) if self.small else (max(270, side), max(480, side)))
        light = self.scene(batch, shape)
        spoilt = light * (1 + 0.05 * torch.randn(light.shape, generator=torch.Generator().manual_seed(1)))
        spoilt = spoilt.clamp(min=1e-3)
        sides = (
            [(light, card.reference_reads), (spoilt, card.reads)]
            if card.reference is not None
            else [(spoilt, card.reads)]
        )
        mixed = len({reads in LIGHT for _, reads in sides}) > 1
        images = []
        for pixels, reads in sides:
            code = (pixels / 200).clamp(0, 1) ** (1 / 2.2)
            as_code = reads not in LIGHT and (mixed or card.reference is None or card.net is not None)
            images.append(Image(code, "srgb") if as_code else Image(pixels))
        needs = not mixed and card.reference is not None and card.net is None and card.reads == "code"
        return (f"pu21:{name}" if needs else name), images

    def on(self, device: torch.device, image: Image) -> Image:
        return image.with_pixels(image.pixels.to(device))

    def exposures(self, shape: tuple[int, int] | None = None) -> list[Any]:
        light = self.scene(1, shape)[0]
        code = [(light * t / 400).clamp(0, 1) ** (1 / 2.2) for t in (1, 4, 16)]
        return [(c * 255).round().byte().permute(1, 2, 0).numpy() for c in code]

    def network(self, name: str) -> tuple[Any, list[Tensor]]:
        """A network of patches with random weights, and a pair of 512 patches of 16 pixels with their places and levels."""
        shelf = find("net", name)
        net = shelf.build(**(shelf.small if self.small else {})).to(self.device).eval()
        count = 16 if self.small else 512
        patches, places = torch.rand(1, count, 3, 16, 16), torch.rand(1, count, 2)
        levels = torch.zeros(1, count, dtype=torch.long)
        return net, [t.to(self.device) for t in (patches, patches, places, levels)]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HdrqError as error:
        sys.exit(f"hdrq: {error}")
