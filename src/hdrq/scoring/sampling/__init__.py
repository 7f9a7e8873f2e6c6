"""Patch positions (`plan`) and extraction (`cut`); random choices are separate from deterministic code."""

from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import Plan, Sampler, levels, plan, shares, strided, together

__all__ = ["Plan", "Sampler", "cut", "levels", "plan", "shares", "strided", "together"]
