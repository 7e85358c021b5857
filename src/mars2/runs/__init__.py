"""What a run does: grow trees, fill buffers, train, evaluate, solve."""
