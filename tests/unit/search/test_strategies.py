"""The simple strategies, step by step."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from search_trees import add, finish, grow, new_tree

from mars2.config.search import DepthGuidedConfig, MctsConfig, RefineBestConfig
from mars2.core.errors import ConfigError
from mars2.core.protocols import Choice, Search, Stop
from mars2.core.tree import Node, Tree
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.sequential import Sequential
from mars2.search.strategy import rebuild


def chosen(search: Search, tree: Tree) -> tuple[int | None, str]:
    choice = search.choose(tree, tree.rng)
    assert isinstance(choice, Choice)
    return choice.parent_id, choice.agent


def step(search: Search, tree: Tree, score: float) -> tuple[int | None, str]:
    parent_id, agent = chosen(search, tree)
    search.tell(tree, add(tree, parent_id, agent, score))
    return parent_id, agent


def test_best_of_n_takes_turns_counting_pending_expansions() -> None:
    tree, search = new_tree(), BestOfN(["a", "b", "c"])
    assert step(search, tree, 1.0) == (None, "a")
    assert chosen(search, tree) == (None, "b")
    pending = tree.expand(None, "b")
    assert step(search, tree, 0.0) == (None, "c")
    assert chosen(search, tree) == (None, "a")
    tree.cancel(pending)
    assert chosen(search, tree) == (None, "b")  # b's turn was lost with the cancelled expansion


def test_refine_best_follows_the_best_score_and_the_earliest_tie() -> None:
    tree, search = new_tree(), RefineBest(["a", "b"])
    assert step(search, tree, 0.25) == (None, "a")
    assert step(search, tree, 0.25) == (0, "b")
    assert step(search, tree, 0.75) == (0, "a")
    assert step(search, tree, 0.5) == (2, "b")
    assert step(search, tree, 0.75) == (2, "a")
    assert chosen(search, tree) == (2, "b")


def test_refine_best_writes_first_attempts_until_one_is_finished() -> None:
    tree, search = new_tree(), RefineBest(["a", "b"])
    first = tree.expand(*chosen(search, tree))
    second = tree.expand(*chosen(search, tree))
    assert (first.parent_id, first.agent, second.parent_id, second.agent) == (None, "a", None, "b")
    search.tell(tree, finish(tree, second, 0.0))
    assert chosen(search, tree) == (0, "a")  # a has one expansion pending, b one node
    tree.expand(0, "a")
    assert chosen(search, tree) == (0, "b")


def test_refine_best_makes_the_asked_number_of_first_attempts() -> None:
    tree, search = new_tree(), RefineBest(["a"], RefineBestConfig(num_first_attempts=3))
    assert [step(search, tree, score)[0] for score in (0.1, 0.9, 0.2, 0.3, 0.95, 0.0)] == [None, None, None, 1, 1, 4]


def test_sequential_is_a_chain_and_waits_for_its_end() -> None:
    tree, search = new_tree(), Sequential(["a", "b"])
    assert [step(search, tree, 0.5) for _ in range(4)] == [(None, "a"), (0, "b"), (1, "a"), (2, "b")]
    pending = tree.expand(*chosen(search, tree))
    assert search.choose(tree, tree.rng) == Stop("the chain's last attempt is still being written")
    tree.cancel(pending)
    assert chosen(search, tree) == (3, "a")


def test_mcts_widens_every_node_before_it_descends() -> None:
    tree, search = new_tree(), Mcts(["a", "b"], MctsConfig(samples_per_agent=1))
    assert step(search, tree, 0.0) == (None, "a")
    assert step(search, tree, 1.0) == (None, "b")
    assert step(search, tree, 0.0) == (1, "a")  # the better child
    # root: N = 3. child 0: 0 + √2·√(ln 3 / 1) = 1.482; child 1: 1/2 + √2·√(ln 3 / 2) = 1.548
    assert step(search, tree, 0.0) == (1, "b")
    # root: N = 4. child 0: √2·√(ln 4 / 1) = 1.665; child 1: 1/3 + √2·√(ln 4 / 3) = 1.295
    assert step(search, tree, 0.0) == (0, "a")


def test_mcts_counts_pending_expansions_as_visits() -> None:
    tree, search = new_tree(), Mcts(["a"], MctsConfig(samples_per_agent=2, exploration=1.0))
    step(search, tree, 0.6)
    step(search, tree, 0.5)
    assert chosen(search, tree) == (0, "a")
    tree.expand(0, "a")
    # N = 3 with the pending one: 0.6 + √(ln 3 / 2) = 1.341 < 0.5 + √(ln 3 / 1) = 1.548
    assert 0.6 + sqrt(log(3) / 2) < 0.5 + sqrt(log(3))
    assert chosen(search, tree) == (1, "a")


def test_mcts_widens_further_rather_than_wait() -> None:
    tree, search = new_tree(), Mcts(["a", "b"], MctsConfig(samples_per_agent=1))
    for expected in [(None, "a"), (None, "b"), (None, "a")]:
        assert chosen(search, tree) == expected
        tree.expand(*expected)


def test_depth_guided_decay_by_hand() -> None:
    search = DepthGuided(["a"], DepthGuidedConfig(gamma=0.9, slope=0.2, floor=0.4))
    assert [search.decay(d) for d in range(5)] == pytest.approx([0.9, 0.7, 0.5, 0.4, 0.4])


def test_depth_guided_counts_the_children_of_a_depth_or_of_a_node() -> None:
    tree = new_tree()
    for parent_id in [None, None, 0, 0, 1]:
        add(tree, parent_id, "a", 0.5)
    by_depth = DepthGuided(["a"], DepthGuidedConfig(gamma=0.9, slope=0.2, floor=0.4))
    by_node = DepthGuided(["a"], DepthGuidedConfig(gamma=0.9, slope=0.2, floor=0.4, count_scope="node"))
    rebuild(by_depth, tree)
    rebuild(by_node, tree)
    for parent_id, depth_factor, node_factor in [
        (None, 0.9**2, 0.9**2),  # two first attempts
        (0, 0.7**3, 0.7**2),  # three children at depth 1, two of node 0
        (1, 0.7**3, 0.7**1),
        (2, 1.0, 1.0),  # nothing below depth 2 yet
    ]:
        assert by_depth.scale_generation(tree, parent_id, 0.5) == pytest.approx(0.5 * depth_factor)
        assert by_node.scale_generation(tree, parent_id, 0.5) == pytest.approx(0.5 * node_factor)


def test_depth_guided_lowers_negative_draws_too() -> None:
    tree = new_tree()
    add(tree, None, "a", 0.5)
    search = DepthGuided(["a"], DepthGuidedConfig(gamma=0.9, posterior="gaussian"))
    rebuild(search, tree)
    assert search.scale_generation(tree, None, -0.5) == pytest.approx(-0.55)
    assert search.scale_generation(tree, None, 0.0) == 0.0


def grown_with(make: Callable[[], Search], seed: int) -> list[Node]:
    tree = new_tree(seed)
    grow(make(), tree, 64, np.random.default_rng(seed))
    return tree.nodes


def test_depth_guided_without_decay_is_ab_mcts() -> None:
    plain = grown_with(lambda: AbMcts(["a", "b"]), 0)
    without = grown_with(lambda: DepthGuided(["a", "b"], DepthGuidedConfig(gamma=1.0, slope=0.0)), 0)
    assert [(n.parent_id, n.agent) for n in without] == [(n.parent_id, n.agent) for n in plain]


def test_depth_guided_goes_deeper() -> None:
    def mean_depth(make: Callable[[], Search]) -> float:
        return float(np.mean([node.depth for seed in range(20) for node in grown_with(make, seed)]))

    assert mean_depth(lambda: DepthGuided(["a", "b"])) > 1.2 * mean_depth(lambda: AbMcts(["a", "b"]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BestOfN([]), r"search\.agents must name at least one agent, got none"),
        (lambda: BestOfN(["a", "b", "a"]), r"search\.agents has 'a' 2 times"),
        (lambda: BestOfN(["a"]).remove_agent("b"), r"search\.agents has no 'b' to remove; it has a"),
        (
            lambda: RefineBestConfig(num_first_attempts=0),
            "num_first_attempts: got 0; must be >= 1",
        ),
        (lambda: MctsConfig(samples_per_agent=0), "samples_per_agent: got 0; must be >= 1"),
        (lambda: MctsConfig(exploration=-1.0), r"exploration: got -1\.0; must be >= 0"),
        (lambda: DepthGuidedConfig(gamma=1.5), r"gamma: got 1\.5; must be <= 1"),
        (lambda: DepthGuidedConfig(slope=-0.1), r"slope: got -0\.1; must be >= 0"),
        (
            lambda: DepthGuidedConfig(floor=0.99),
            r"floor must be in \(0, gamma = 0\.98\], got 0\.99",
        ),
        (
            lambda: DepthGuidedConfig(count_scope="tree"),
            "count_scope: got 'tree'; must be 'depth' or 'node'",
        ),  # type: ignore[arg-type]
    ],
)
def test_bad_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
