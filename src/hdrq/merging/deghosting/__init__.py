"""What moved between exposures, and what to put there."""
