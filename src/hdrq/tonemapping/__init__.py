"""Tone mapping and inverse tone mapping: operators, expanders, optimisation of their parameters."""
