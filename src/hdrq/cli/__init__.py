"""The command line: the only package that uses click, rich or tqdm, prints, or turns an error into text.

A file here is a command; files that begin with _ are shared by commands. No file here imports torch or
numpy outside a function, so that `hdrq --help` is fast.
"""

from hdrq.cli.app import main

__all__ = ["main"]
