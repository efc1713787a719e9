"""Long work, seen and resumed: work keys, checkpoints, progress lines, curves."""
