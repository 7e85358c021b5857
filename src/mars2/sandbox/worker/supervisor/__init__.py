"""The trusted half of a worker, outside the jail: it holds expected outputs, compares, and decides verdicts."""
