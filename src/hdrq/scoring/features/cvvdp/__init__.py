"""What ColorVideoVDP is made of: pyramid, observer, pooling, heat maps."""
