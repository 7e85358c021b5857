"""T+'s three changes to the arms, worked out by hand, and its equality with the search that it extends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from search_trees import add, grow, new_tree

from mars2.config.search import DepthGuidedConfig, TPlusConfig
from mars2.core.errors import ConfigError
from mars2.core.protocols import Choice
from mars2.core.tree import Tree
from mars2.search.depth_guided import DepthGuided
from mars2.search.strategy import rebuild
from mars2.search.t_plus import TPlus

PLAIN: dict[str, Any] = {
    "own_score_weight": 0.0, "back_up": "score", "go_on": "arm", "slope": 0.1, "count_scope": "depth"
}  # fmt: skip


class PosteriorMeans:
    """A random stream whose Beta draws are the posterior means."""

    def beta(self, a: Any, b: Any) -> Any:
        return a / (a + b)


def six_nodes() -> Tree:
    """root ─┬─ 0 (0.5) ─┬─ 2 (0.75) ─┬─ 4 (0.25)
    │            └─ 3 (0)     └─ 5 (1)
    └─ 1 (0.25)
    """
    tree = new_tree()
    for parent_id, score in [(None, 0.5), (None, 0.25), (0, 0.75), (0, 0.0), (2, 0.25), (2, 1.0)]:
        add(tree, parent_id, "a", score)
    return tree


def told(tree: Tree, **options: Any) -> TPlus:
    search = TPlus(["a"], TPlusConfig(**options))
    rebuild(search, tree)
    return search


@pytest.mark.parametrize("order", ["node-then-model", "stack"])
def test_without_its_changes_it_is_depth_guided(order: Any) -> None:
    shapes: list[list[tuple[int | None, str]]] = []
    for search in (
        DepthGuided(["a", "b"], DepthGuidedConfig(order=order)),
        TPlus(["a", "b"], TPlusConfig(order=order, **PLAIN)),
    ):
        tree = new_tree(3)
        grow(search, tree, 100, np.random.default_rng(3))
        shapes.append([(node.parent_id, node.agent) for node in tree])
    assert shapes[0] == shapes[1]


def test_the_best_score_on_the_way_down_is_backed_up() -> None:
    search = told(six_nodes(), own_score_weight=0.0, go_on="arm")
    root, node_0, node_2 = search.arms(None), search.arms(0), search.arms(2)
    # below node 0: 2 brings max(0.5, 0.75), 3 brings 0.5, 4 brings 0.75 (of node 2), 5 brings 1
    assert root.generate == (2, 0.75, 0.3125)  # 0.5, 0.25: nothing above them
    assert root.children[0] == (5, 0.5 + 0.75 + 0.5 + 0.75 + 1.0, 0.25 + 0.5625 + 0.25 + 0.5625 + 1.0)
    assert root.go_on == (4, 3.0, 2.375)
    assert node_0.generate == (2, 0.75 + 0.5, 0.5625 + 0.25)  # max(0.5, 0.75), max(0.5, 0)
    assert node_0.children[2] == (3, 0.75 + 0.75 + 1.0, 0.5625 + 0.5625 + 1.0)
    assert node_0.children[3] == (1, 0.0, 0.0)
    assert node_0.go_on == (2, 1.75, 1.5625)  # from node 2 down: 0.75, 1
    assert node_2.generate == (2, 1.75, 1.5625)


def test_own_scores_count_as_observations() -> None:
    search = told(six_nodes(), own_score_weight=4.0, back_up="score", go_on="arm")
    root, node_0 = search.arms(None), search.arms(0)
    assert root.generate == (2, 0.75, 0.3125)  # the root has no score
    assert root.children == {0: (9, 0.5 * 5 + 2.0, 0.25 * 5 + 1.625), 1: (5, 1.25, 0.3125)}  # 2, 3, 4, 5 below node 0
    assert node_0.generate == (6, 4 * 0.5 + 0.75, 4 * 0.25 + 0.5625)
    assert node_0.go_on == (6, 4 * 0.5 + 1.25, 4 * 0.25 + 1.0625)  # 4 and 5 below node 2
    assert search._arms.of_agent("a") == (6, 2.75, 1.9375)


def test_gen_is_compared_with_the_best_child_by_hand() -> None:
    # Beta means without decay, own_score_weight 0, back_up "score": root GEN 1.25/3 = 0.417, children 0: 3/6, 1: 0.75/2
    # node 0: GEN 1.25/3 = 0.417 < child 2: 2.5/4; node 2: GEN 1.75/3 = 0.583 < child 5: 1.5/2; node 5 has no children
    options: dict[str, Any] = {"gamma": 1.0, "slope": 0.0, "own_score_weight": 0.0, "back_up": "score"}
    tree, means = six_nodes(), PosteriorMeans()
    assert told(tree, **options).choose(tree, means) == Choice(5, "a")  # type: ignore[arg-type]
    # with the CONT arm, node 2 generates: CONT has its prior only, 1/2
    assert told(tree, go_on="arm", **options).choose(tree, means) == Choice(2, "a")  # type: ignore[arg-type]


def test_a_better_child_is_refined_rather_than_its_parent_widened() -> None:
    """The reason for the changes: in AB-MCTS a good first attempt makes more first attempts look good."""
    tree = new_tree()
    add(tree, None, "a", 0.0)
    add(tree, None, "a", 0.8)
    shares: list[float] = []
    for search in (told(tree), told(tree, **PLAIN)):
        rng = np.random.default_rng(0)
        choices = [search.choose(tree, rng) for _ in range(1000)]
        shares.append(sum(choice == Choice(1, "a") for choice in choices) / 1000)
    assert shares[0] > 0.75
    assert shares[1] < 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"own_score_weight": -1.0}, "own_score_weight: got -1.0; must be >= 0"),
        ({"back_up": "max"}, "back_up: got 'max'; must be"),
        ({"go_on": "child"}, "go_on: got 'child'; must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TPlus(["a"], TPlusConfig(**options))
