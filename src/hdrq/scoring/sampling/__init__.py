"""Where to cut (`plan`), and cutting (`cut`); what depends on chance stays apart from what does not."""

from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import Plan, Sampler, levels, plan, shares, strided, together

__all__ = ["Plan", "Sampler", "cut", "levels", "plan", "shares", "strided", "together"]
