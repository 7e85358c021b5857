"""CPU-scale science: tiny policies that write real Python for a generated family of tasks."""
