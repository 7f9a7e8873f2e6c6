"""Exposures of one scene merged to radiance, or fused to a displayable image."""
