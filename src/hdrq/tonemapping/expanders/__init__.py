"""Inverse tone mapping operators (expanders), one per file."""
