"""A finished run held against the committed one: checksums of files, and scores by their spread."""
