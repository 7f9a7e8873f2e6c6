"""High range to low, one operator a file."""
