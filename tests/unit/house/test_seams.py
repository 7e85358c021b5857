"""Every seam of core/protocols.py is held by a contract suite that its adapters pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from source_tree import ROOT, classes

CAPABILITIES = {"CanSleep", "CountsTokens", "HasTroubles", "TrainableBackend"}  # part of the suite of backends
SEAMS = [i.name for i in classes() if i.file == Path("core/protocols.py") and "Protocol" in i.bases]
SUITES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contracts").glob("test_*.py")}


def suite_of(seam: str) -> str:
    """`test_reward_model_contract.py` for `RewardModel`."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in seam).removeprefix("_")
    return f"test_{words.removesuffix('_estimator')}_contract.py"


@pytest.mark.parametrize("seam", [name for name in SEAMS if name not in CAPABILITIES])
def test_a_seam_has_a_contract_suite_that_names_it(seam: str) -> None:
    assert seam in SUITES.get(suite_of(seam), "")
