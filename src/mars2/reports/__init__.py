"""One self-contained HTML page per run: results, learning curves, every tree to click through."""
