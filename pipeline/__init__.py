"""Semi-supervised semantic segmentation with a strong-weak dual-branch network."""

__version__ = "0.1.0"
