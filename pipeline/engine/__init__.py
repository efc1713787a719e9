"""One training loop for all three networks."""
