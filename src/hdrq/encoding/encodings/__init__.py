"""Light to code and back, one encoding a file."""
