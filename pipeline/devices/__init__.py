"""Who computes: CPU or GPU, one process or several, and their random numbers."""
