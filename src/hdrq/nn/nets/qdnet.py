"""QD-net: separates quality and content of a tone-mapped image; predicts quality, and reconstructs another quality.

Source  Wang et al. 2021 (blind quality assessment and enhancement of tone-mapped images by disentangled
representation). Widths, the size of the latent code and the loss weights are not published; those here were chosen here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.errors import HdrqError
from hdrq.nn.image_networks import Use
from hdrq.nn.keys import State
from hdrq.nn.layers.resnet import Bottleneck, ResNet
from hdrq.nn.net import Net, pattern
from hdrq.nn.network_input import CONVENTIONS, Convention, scaled_input

_DEEP = 2048
# widths of the decoder, coarse to fine
_UP = (1024, 512, 256, 128, 64)
# gradient steps in the search for a code of the requested quality
_SEARCH = 400
# channels of the skip connections
_SKIPS = (1024, 512, 256)


class Code(NamedTuple):
    """Output of the encoder.

    mean, log_variance  (B, latent) of the quality code;  content  (B, 2048, h, w) without its channel statistics
    skips               earlier feature maps, fine to coarse, without their channel statistics
    """

    mean: Tensor
    log_variance: Tensor
    content: Tensor
    skips: tuple[Tensor, ...]


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every channel over space, (B, C)."""
    flat = x.flatten(2)
    return flat.mean(2), (flat.var(2, correction=0) + 1e-5).sqrt()


def _still(x: Tensor) -> Tensor:
    """A feature map without its channel statistics."""
    mean, deviation = _statistics(x)
    return (x - mean[..., None, None]) / deviation[..., None, None]


class Up(nn.Module):
    """Upsampling by two, two convolutions, and the quality code as channel statistics (AdaIN)."""

    def __init__(self, entering: int, skip: int, width: int, latent: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(entering + skip, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.style = nn.Linear(latent, 2 * width)

    def forward(self, x: Tensor, skip: Tensor | None, z: Tensor, size: tuple[int, int]) -> Tensor:
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        x = F.relu(self.first(x if skip is None else torch.cat([x, skip], 1)))
        scale, shift = self.style(z).chunk(2, 1)
        return F.relu(_still(self.second(x)) * (1 + scale[..., None, None]) + shift[..., None, None])


class QdNet(nn.Module):
    """(B, 3, H, W), ImageNet-normalised, to (B,) quality, about 0..1; higher is better."""

    def __init__(self, latent: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        self.intake: Convention = "imagenet"
        self.latent = latent
        self.body = ResNet(Bottleneck, (3, 4, 6, 3), 0)
        self.mean, self.log_variance = nn.Linear(2 * _DEEP, latent), nn.Linear(2 * _DEEP, latent)
        self.head = nn.Sequential(
            nn.Linear(latent, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 1),
        )
        entering, skips = (_DEEP, *_UP[:-1]), (*_SKIPS, 0, 0)
        self.ups = nn.ModuleList(Up(e, s, w, latent) for e, s, w in zip(entering, skips, _UP))
        self.paint = nn.Conv2d(_UP[-1], 3, 3, padding=1)

    def encode(self, x: Tensor) -> Code:
        """The code of images (N, 3, H, W): quality as a normal distribution, content as feature maps."""
        *skips, last = self.body.stages(x)
        features = torch.cat(_statistics(last), 1)
        return Code(
            self.mean(features), self.log_variance(features), _still(last), tuple(_still(s) for s in skips)
        )

    def codes(self, x: Tensor) -> dict[str, Tensor]:
        """Rows (B, D) of the two codes: the mean of that of quality, and that of content, averaged to 2x2."""
        code = self.encode(x)
        return {"quality": code.mean, "content": F.adaptive_avg_pool2d(code.content, 2).flatten(1)}

    def score(self, z: Tensor) -> Tensor:
        """Quality (B,) of quality codes (B, latent)."""
        result: Tensor = self.head(z)[:, 0]
        return result

    def decode(self, code: Code, z: Tensor, size: tuple[int, int]) -> Tensor:
        """The image (B, 3, H, W), normalised, with the content of `code` and the quality code z."""
        x = code.content
        offered: list[Tensor | None] = [*reversed(code.skips), None, None]
        for number, (up, skip) in enumerate(zip(self.ups, offered)):
            halvings = 4 - number
            side = (
                (-(-size[0] // 2**halvings), -(-size[1] // 2**halvings)) if skip is None else skip.shape[-2:]
            )
            x = up(x, skip, z, (int(side[0]), int(side[1])))
        result: Tensor = self.paint(x)
        return result

    def forward(self, x: Tensor) -> Tensor:
        """Quality from the mean of the posterior; in training, from a sample of it."""
        code = self.encode(x)
        z = code.mean
        if self.training:
            z = z + torch.randn_like(z) * (code.log_variance / 2).exp()
        return self.score(z)

    @torch.no_grad()
    def towards(self, x: Tensor, quality: float, seed: int = 0, steps: int = 60) -> tuple[Tensor, float]:
        """The image reconstructed at a requested quality, and the quality of its code.

        A code z' beyond the requested quality is sampled from the prior (or found by gradient steps
        where no sample is); the weight e at which e·z' + (1 - e)·z scores `quality` is found by bisection.
        HdrqError where these weights have no code of that quality.
        """
        code = self.encode(x)
        own = float(self.score(code.mean).mean())
        up = quality > own
        other = self._beyond(quality, up, seed, code.mean)
        # weights that score below and above the requested quality
        low, high = 0.0, 1.0
        for _ in range(steps):
            share = (low + high) / 2
            found = float(self.score(torch.lerp(code.mean, other, share)).mean())
            low, high = (share, high) if (found < quality) == up else (low, share)
        mixed = torch.lerp(code.mean, other, 0.0 if own == quality else high)
        return self.decode(code, mixed, (x.shape[-2], x.shape[-1])), float(self.score(mixed).mean())

    def _beyond(self, quality: float, up: bool, seed: int, like: Tensor) -> Tensor:
        """A code (1, latent) that scores at least `quality` (up), or at most."""
        random = torch.Generator().manual_seed(seed)
        drawn = torch.randn(512, self.latent, generator=random).to(like)
        scores = self.score(drawn)
        far = scores >= quality if up else scores <= quality
        if bool(far.any()):
            return drawn[int((scores - quality).abs().masked_fill(~far, torch.inf).argmin())][None]
        z = drawn[int(scores.argmax() if up else scores.argmin())][None].clone()
        for _ in range(_SEARCH):
            with torch.enable_grad():
                z.requires_grad_()
                (slope,) = torch.autograd.grad(self.score(z).sum(), z)
            z = z.detach() + (1 if up else -1) * 0.5 * slope / slope.norm().clamp(min=1e-12)
            reached = float(self.score(z)[0])
            if reached >= quality if up else reached <= quality:
                result: Tensor = z
                return result
        raise HdrqError(
            f"these weights reach a quality of {reached:.3g} for this image, not {quality:g}; request a lower one"
            if up
            else f"the lowest quality of these weights for this image is {reached:.3g}, not {quality:g}; request a higher one"
        )


def at_quality(net: QdNet, code: Tensor, quality: float, seed: int = 0) -> tuple[Tensor, float, float]:
    """(sRGB code (1, 3, H, W) reconstructed at a quality, the quality predicted of the image, and of its new quality code).

    code  sRGB code (1, 3, H, W), 0..1;  quality  in the unit of the weights, see QdNet.towards
    """
    entered = scaled_input(code, net)
    with torch.no_grad():
        before = float(net(entered)[0])
        made, after = net.towards(entered, quality, seed)
    mean, deviation = (torch.tensor(v).to(made).reshape(3, 1, 1) for v in CONVENTIONS[net.intake])
    return (made * deviation + mean).clamp(0, 1), before, after


def _from_resnet(state: State) -> State:
    return {f"body.{name}": tensor for name, tensor in state.items() if not name.startswith("fc.")}


qdnet = Net(
    name="qdnet",
    source="Wang et al. 2021; widths and the size of the latent code, which are not published, chosen here",
    build=QdNet,
    layouts=(),
    witness=lambda net: net(pattern(1, 3, 64, 96) * 4 - 2),
    grows={"resnet50": _from_resnet},
    use=Use("enhance", at_quality, "A tone-mapped image reconstructed at another quality"),
    training={"input": "crops", "crop": 224, "batch": 8, "loss": {"mse": 1.0}},
)
