"""A model of how likely a program is right, trained on the trees of finished runs (MARS2-T+, part 3)."""
