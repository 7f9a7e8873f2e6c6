"""Patch positions (`plan`) and extraction (`cut`); random choices are separate from deterministic code.

gather         Extraction of the pixels of a plan, on CPU and GPU
gather_triton  The same on a GPU: one kernel extracts and halves, another one halves further
plan           Patch positions: a table of corners, drawn from a seed on the CPU, the same on every machine
"""

from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import Plan, Sampler, joined, levels, plan, shares, strided

__all__ = ["Plan", "Sampler", "cut", "joined", "levels", "plan", "shares", "strided"]
