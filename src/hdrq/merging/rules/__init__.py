"""Exposures to radiance, one idea a file."""
