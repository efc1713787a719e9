"""The user's own photographs, with masks and annotations as tools export them."""
