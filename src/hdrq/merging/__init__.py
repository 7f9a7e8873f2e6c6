"""Exposure stacks to radiance or to a fused image."""
