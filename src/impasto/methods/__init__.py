"""Training methods, one file each, built from networks and losses and found by the name in a recipe."""
