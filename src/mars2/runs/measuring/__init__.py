"""Measures trees: outcomes, figures, differences, tables."""
