"""Connects things by name and yields records."""
