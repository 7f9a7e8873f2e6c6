"""Low range to high, one operator a file."""
