"""Midtones brightened; black and the highest code are unchanged."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="Midtones brightened",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="a in the exponent 1 / (1 + a) of the code",
        levels=(0, 0.1, 0.25, 0.5, 0.9, 1.5),
    )
)
def brighten(code: Tensor, amount: float, top: float) -> Tensor:
    return top * (code / top).clamp(0, 1) ** (1 / (1 + amount))
