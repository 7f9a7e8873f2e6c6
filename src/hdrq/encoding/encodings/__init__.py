"""Encodings from light to code and back, one per file."""
