"""Which photographs to draw a mask of next: by what masks lack and what the networks doubt."""
