"""Patch positions (`plan`) and extraction (`cut`); random choices are separate from deterministic code."""

from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import Plan, Sampler, joined, levels, plan, shares, strided

__all__ = ["Plan", "Sampler", "cut", "joined", "levels", "plan", "shares", "strided"]
