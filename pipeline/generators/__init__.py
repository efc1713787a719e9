"""Who makes proxy masks (G of Eq. 1), one module a generator."""
