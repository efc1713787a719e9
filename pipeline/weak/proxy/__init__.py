"""A network to proxy masks: one for each training image, and their quality."""
