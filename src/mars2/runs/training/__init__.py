"""Turns finished trees into updates of the policies."""
