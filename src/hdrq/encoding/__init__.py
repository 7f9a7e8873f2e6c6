"""Photometry: the display model, encodings and displays (one per file), conversion between light and code."""
