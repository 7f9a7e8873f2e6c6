"""`python -m hdrq`, and what torchrun starts."""

from hdrq.cli import main

if __name__ == "__main__":  # processes that a cluster on this machine starts import this module
    main()
