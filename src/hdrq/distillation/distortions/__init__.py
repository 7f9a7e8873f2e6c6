"""Distortions, one per file."""
