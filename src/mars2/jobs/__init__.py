"""What the commands do, without printing: plain async functions with typed results."""
