"""Our parts against what people would use instead, timed side by side: `make bench`."""
