"""Our parts against other libraries, timed side by side: `make bench`."""
