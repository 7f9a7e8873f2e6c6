"""The camera response: curves, exposure ratios, files."""
