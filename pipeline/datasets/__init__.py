"""Readers that bring each kind of data set into one manifest (docs/adding-a-data-set.md)."""
