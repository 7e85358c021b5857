"""What updates a policy from samples. Import the submodules: `objective` and `recording` load no torch."""
