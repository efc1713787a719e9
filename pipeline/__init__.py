"""Semi-supervised semantic segmentation with a strong-weak dual-branch network."""
