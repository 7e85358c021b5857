"""Measures what trees amount to."""
