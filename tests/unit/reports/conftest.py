"""One realistic run for the whole folder: making it takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_run import make_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "quickstart", steps=12, trees_per_step=4, num_problems=12)
