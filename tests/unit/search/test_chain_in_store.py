"""A chain of 10,000 nodes is saved, loaded and grown on: nothing on the way recurses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from search_trees import SeededTree, add, grow, new_tree

from mars2.core.events import Finished
from mars2.core.protocols import Search
from mars2.search.ab_mcts import AbMcts
from mars2.search.refine_best import RefineBest
from mars2.search.strategy import rebuild
from mars2.store.run_store import RunStore

LENGTH = 10_000


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: RefineBest(["a"]), id="refine_best"),
        pytest.param(lambda: AbMcts(["a"]), id="ab_mcts", marks=pytest.mark.slow),  # 50 million steps of back-up
    ],
)
def test_a_chain_of_10_000_nodes_is_saved_loaded_and_grown(make: Callable[[], Search], tmp_path: Path) -> None:
    tree = new_tree()
    for i in range(LENGTH):
        add(tree, i - 1 if i else None, "a", i / LENGTH)
    with RunStore.create(tmp_path / "run", config={}) as store:
        store.hear(Finished(tree, "solve", 0))
    with RunStore.open(tmp_path / "run", read_only=True) as store:
        stored = store.tree("tree")
    assert stored is not None
    loaded = SeededTree()
    loaded.restore(
        list(stored.tree), next_expansion_id=stored.tree.next_expansion_id, num_cancelled=stored.tree.num_cancelled
    )
    assert [node.parent_id for node in loaded] == [None, *range(LENGTH - 1)]
    search = make()
    rebuild(search, loaded)
    grow(search, loaded, LENGTH + 5, np.random.default_rng(0))
    assert loaded.nodes[-1].depth > 1
    if isinstance(search, RefineBest):
        assert loaded.nodes[LENGTH].parent_id == LENGTH - 1  # the best is the end of the chain
