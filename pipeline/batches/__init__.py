"""Files to batches: which images, in which order, seen in which random view."""
