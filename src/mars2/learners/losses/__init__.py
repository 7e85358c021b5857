"""The losses, one file each, and the formulas around them. Which loss a run has is chosen in `choose`."""
