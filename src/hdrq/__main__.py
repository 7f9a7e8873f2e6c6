"""`python -m hdrq`, and what torchrun starts."""

from hdrq.cli import main

# processes that a cluster on this machine starts import this module
if __name__ == "__main__":
    main()
