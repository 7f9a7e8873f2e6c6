"""The door: the only place that knows click, rich or tqdm, prints, or turns an error into text.

A file here is a command; files that begin with _ are what commands share. No file here imports torch or
numpy outside a function, so that `hdrq --help` answers at once.
"""

from hdrq.cli.app import main

__all__ = ["main"]
