"""Deghosting: detection of moving objects, and their removal."""
