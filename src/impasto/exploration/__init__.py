"""What is in a set of pictures, before anyone trains on it."""
