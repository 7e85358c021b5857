"""The words of the project: problem, completion, verdict, tree, and the seams between parts. Pure: no torch, no I/O."""
