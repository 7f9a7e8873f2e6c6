"""What harms a picture, one a file."""
