"""Detection of moving objects, and what to do about them."""
