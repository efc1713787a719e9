"""What all networks share: backbones, layers, how a grid lies on an image, weights."""
