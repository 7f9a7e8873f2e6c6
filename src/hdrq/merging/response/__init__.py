"""Camera response: estimation, calibration of a stack, and files."""
