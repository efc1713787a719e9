"""A look at a folder of photographs before any work: counts, mistakes, advice, one page."""
