"""Screens as data, one a file."""
