"""The same work on many machines, and tables made in parts."""
