"""Readers that bring each kind of data set to one manifest (docs/adding-a-data-set.md)."""
