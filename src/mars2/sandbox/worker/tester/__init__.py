"""Assertion tests in a jail of their own, which call the candidate by value."""
