"""Masks as annotations that a person corrects in a tool, and the corrected ones as masks again."""
