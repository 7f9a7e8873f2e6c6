"""Capture of more range than one exposure has: exposures that alternate over frames, or differ between pixels."""
