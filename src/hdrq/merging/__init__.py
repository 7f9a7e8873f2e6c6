"""Exposures of one scene merged to radiance, or fused to an image."""
