"""What passes between stages: manifest, images and masks, seeds, plans, tables."""
