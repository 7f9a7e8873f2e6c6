"""Light and code: photometry, the display model, encodings and displays (one a file)."""
