"""Backbones at a fixed output stride (§3.2), one module a backbone."""
