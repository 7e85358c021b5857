"""TreeQuest hears of what is told: without it no algorithm would ever refine anything."""

from __future__ import annotations

import numpy as np
import pytest
from search_trees import add

from mars2.config.search import TreeQuestConfig
from mars2.core.protocols import Choice
from mars2.core.tree import Tree
from mars2.search.treequest_adapter import ALGORITHMS, TreeQuestSearch

pytest.importorskip("treequest", reason="treequest is not installed: pip install 'mars2[treequest]'")


NOT_REFINING = {"ABMCTSM", "MultiArmedBanditUCBAlgo"}  # needs packages of its own; only ever writes first attempts here


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in NOT_REFINING])
def test_a_tree_of_good_nodes_is_refined_somewhere(algorithm: str) -> None:
    search = TreeQuestSearch(["a", "b"], TreeQuestConfig(algorithm=algorithm))  # type: ignore[arg-type]
    tree, rng = Tree("t", "p"), np.random.default_rng(0)
    for _ in range(24):
        choice = search.choose(tree, rng)
        assert isinstance(choice, Choice)
        search.tell(tree, add(tree, choice.parent_id, choice.agent, 0.9))
    assert any(node.parent_id is not None for node in tree)
