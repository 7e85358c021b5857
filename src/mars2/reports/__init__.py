"""One self-contained HTML page per run: results, learning curves, every tree to click through."""

from mars2.reports.page import write_report

__all__ = ["write_report"]
