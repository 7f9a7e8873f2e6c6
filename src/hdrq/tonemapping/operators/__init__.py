"""Tone mapping operators, one per file."""
