"""Grows trees: one expansion at a time in one tree, many trees at once."""
