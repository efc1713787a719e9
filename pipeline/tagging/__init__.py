"""Tagging a folder of photographs by single keys, on a page that this machine serves itself."""
