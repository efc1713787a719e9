"""A network to counts: whole images predicted, confusion matrices, IoU."""
