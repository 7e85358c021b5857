"""One SQLite file per run: nodes, verdicts, samples, metrics, state. Survives kill -9 at any moment."""
