"""Trained networks to results/: every seed of a variant, averages, VOC's test server."""
