"""One trained network as one file: packaged, used on photographs, exported."""
