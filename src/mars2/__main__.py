"""``python -m mars2``."""

from mars2.cli.main import run

run()
