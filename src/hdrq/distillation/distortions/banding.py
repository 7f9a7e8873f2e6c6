"""Code quantised to few levels (banding)."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="Quantisation",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="quantisation step, in SDR whites of code",
        levels=(0, 1 / 48, 1 / 28, 1 / 16, 1 / 10, 1 / 6),
    )
)
def banding(code: Tensor, step: float) -> Tensor:
    return (code / step).round() * step
