"""A first look at a folder of photographs: counts, mistakes, advice, one page."""
