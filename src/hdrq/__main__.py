"""`python -m hdrq`, and what torchrun starts."""

from hdrq.cli import main

main()
