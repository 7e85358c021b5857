"""AB-MCTS-A on a seven-node tree worked out by hand, and its structure on random trees."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_trees import add, finish, grow, new_tree

from mars2.config.search import AbMctsConfig
from mars2.core.errors import ConfigError
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Tree
from mars2.search.ab_mcts import AbMcts
from mars2.search.strategy import rebuild


class FrozenDraws:
    """A random stream whose Beta draws are the posterior means, or always `constant`; counts what it was asked."""

    def __init__(self, constant: float | None = None) -> None:
        self.constant = constant
        self.num_draws = 0

    def beta(self, a: Any, b: Any) -> Any:
        self.num_draws += np.size(a)
        return a / (a + b) if self.constant is None else 0 * a + self.constant


def seven_nodes() -> Tree:
    """root ─┬─ 0 (a, 0.5) ─┬─ 2 (b, 1.0) ── 4 (a, 0.75) ── 6 (b, 1.0)
    │              └─ 3 (a, 0.0)
    └─ 1 (b, 0.25) ── 5 (a, 0.5)
    """
    tree = new_tree()
    for parent_id, agent, score in [
        (None, "a", 0.5), (None, "b", 0.25), (0, "b", 1.0), (0, "a", 0.0), (2, "a", 0.75), (1, "a", 0.5), (4, "b", 1.0)
    ]:  # fmt: skip
        add(tree, parent_id, agent, score)
    return tree


def told(tree: Tree, **options: Any) -> AbMcts:
    search = AbMcts(["a", "b"], AbMctsConfig(**options))
    rebuild(search, tree)
    return search


def test_back_up_by_hand() -> None:
    search = told(seven_nodes())
    root = search.arms(None)
    assert root.generate == (2, 0.75, 0.3125)  # 0, 1
    assert root.go_on == (5, 3.25, 2.8125)  # 2, 3, 4, 5, 6; never the root's own children
    assert root.children == {0: (5, 3.25, 2.8125), 1: (2, 0.75, 0.3125)}  # own score and all below
    node_0 = search.arms(0)
    assert node_0.generate == (2, 1.0, 1.0)  # 2, 3
    assert node_0.go_on == (2, 1.75, 1.5625)  # 4, 6
    assert node_0.children == {2: (3, 2.75, 2.5625), 3: (1, 0.0, 0.0)}
    node_2 = search.arms(2)
    assert (node_2.generate, node_2.go_on, node_2.children) == ((1, 0.75, 0.5625), (1, 1, 1), {4: (2, 1.75, 1.5625)})
    node_4 = search.arms(4)
    assert (node_4.generate, node_4.go_on, node_4.children) == ((1, 1, 1), (0, 0, 0), {6: (1, 1, 1)})
    node_1 = search.arms(1)
    assert (node_1.generate, node_1.go_on, node_1.children) == ((1, 0.5, 0.25), (0, 0, 0), {5: (1, 0.5, 0.25)})
    assert search.arms(6).generate == (0, 0, 0)
    assert search._arms.of_agent("a") == (4, 1.75, 1.0625)  # 0, 3, 4, 5
    assert search._arms.of_agent("b") == (3, 2.25, 2.0625)  # 1, 2, 6
    assert search._arms.of_agent("newcomer") == (0, 0, 0)


def test_back_up_by_hand_for_stack() -> None:
    search = told(seven_nodes(), order="stack")
    root_a, root_b = search.arms(None, "a"), search.arms(None, "b")
    assert (root_a.generate, root_b.generate) == ((1, 0.5, 0.25), (1, 0.25, 0.0625))  # 0; 1
    assert root_a.go_on == (4, 2.75, 2.5625)  # below 0, which a wrote: 2, 3, 4, 6
    assert root_b.go_on == (1, 0.5, 0.25)  # below 1, which b wrote: 5
    assert (list(root_a.children), list(root_b.children)) == ([0], [1])
    node_0_a, node_0_b = search.arms(0, "a"), search.arms(0, "b")
    assert (node_0_a.generate, node_0_a.go_on) == ((1, 0, 0), (0, 0, 0))  # 3
    assert (node_0_b.generate, node_0_b.go_on) == ((1, 1, 1), (2, 1.75, 1.5625))  # 2; 4, 6


def test_choose_by_hand_from_posterior_means() -> None:
    # root: GEN 1.25/3 < CONT 3.75/6; child 0: 3.75/6 > child 1: 1.25/3
    # 0: GEN 1.5/3 < CONT 2.25/3; child 2: 3.25/4 > child 3: 0.5/2; 2: GEN 1.25/2 < CONT 1.5/2; 4: GEN 1.5/2 > CONT 0.5
    # agents: a 2.25/5 < b 2.75/4
    tree = seven_nodes()
    assert told(tree).choose(tree, FrozenDraws()) == Choice(4, "b")  # type: ignore[arg-type]


def test_choose_by_hand_from_posterior_means_for_stack() -> None:
    # root: a 3.75/6 > b 1.25/3; GEN_a 1/2 < CONT_a 3.25/5; child 0
    # 0: b 3.25/4 > a 0.5/2; GEN_b 1.5/2 ties CONT_b 2.25/3
    tree = seven_nodes()
    assert told(tree, order="stack").choose(tree, FrozenDraws()) == Choice(0, "b")  # type: ignore[arg-type]


def test_gen_and_the_first_agent_win_ties() -> None:
    tree = seven_nodes()
    for order in ("node-then-model", "stack"):
        assert told(tree, order=order).choose(tree, FrozenDraws(0.5)) == Choice(None, "a")  # type: ignore[arg-type]


def test_a_node_without_children_generates_without_a_draw() -> None:
    tree, draws = new_tree(), FrozenDraws()
    assert AbMcts(["a"]).choose(tree, draws) == Choice(None, "a")  # type: ignore[arg-type]
    assert draws.num_draws == 0


def test_ucb1_by_hand() -> None:
    # a: one node of score 0, bound 0 + √(2 ln 4 / 1) = 1.665; b: three of score 0.6, 0.6 + √(2 ln 4 / 3) = 1.561
    tree = new_tree()
    for agent, score in [("b", 0.6), ("a", 0.0), ("b", 0.6), ("b", 0.6)]:
        add(tree, None, agent, score)
    assert told(tree, agent_choice="ucb1").choose(tree, FrozenDraws(0.5)) == Choice(None, "a")  # type: ignore[arg-type]
    # one more of a: 0 + √(2 ln 5 / 2) = 1.269 < 0.6 + √(2 ln 5 / 3) = 1.636
    add(tree, None, "a", 0.0)
    assert told(tree, agent_choice="ucb1").choose(tree, FrozenDraws(0.5)) == Choice(None, "b")  # type: ignore[arg-type]


def test_ucb1_counts_pending_expansions() -> None:
    tree, search = new_tree(), AbMcts(["a", "b", "c"], AbMctsConfig(agent_choice="ucb1"))
    for expected in "abcabc":
        choice = search.choose(tree, tree.rng)
        assert isinstance(choice, Choice)
        assert choice.agent == expected
        tree.expand(choice.parent_id, choice.agent)


def test_thompson_prefers_the_better_agent() -> None:
    tree = new_tree(3)
    for _ in range(20):
        add(tree, None, "a", 0.1)
        add(tree, None, "b", 0.8)
    search = told(tree)
    counts = Counter(c.agent for _ in range(200) if isinstance(c := search.choose(tree, tree.rng), Choice))
    assert counts["b"] > 190


def test_cap_on_pending_expansions_per_node() -> None:
    tree, search = new_tree(), AbMcts(["a"], AbMctsConfig(max_pending_per_node=2))
    for _ in range(2):
        assert search.choose(tree, tree.rng) == Choice(None, "a")
        tree.expand(None, "a")
    assert isinstance(search.choose(tree, tree.rng), Stop)
    search.tell(tree, finish(tree, tree.pending[0], 0.0))
    tree.expand(None, "a")
    assert search.choose(tree, tree.rng) == Choice(0, "a")  # the root is full: only below node 0 is room
    tree.expand(0, "a")
    tree.expand(0, "a")
    assert isinstance(search.choose(tree, tree.rng), Stop)
    tree.cancel(tree.pending[2])
    assert search.choose(tree, tree.rng) == Choice(None, "a")


@pytest.mark.parametrize("order", ["node-then-model", "stack"])
@given(seed=st.integers(0, 10_000), cap=st.integers(1, 3))
def test_the_cap_is_never_exceeded_and_stops_only_when_all_is_full(order: Any, seed: int, cap: int) -> None:
    rng = np.random.default_rng(seed)
    tree, search = new_tree(seed), AbMcts(["a", "b"], AbMctsConfig(order=order, max_pending_per_node=cap))
    grow(search, tree, 4, rng)
    if seed % 2:
        search.remove_agent("a")
    for _ in range(5 * cap):  # the root and 4 nodes
        choice = search.choose(tree, tree.rng)
        assert isinstance(choice, Choice)
        tree.expand(choice.parent_id, choice.agent)
    assert set(Counter(e.parent_id for e in tree.pending.values()).values()) == {cap}
    assert isinstance(search.choose(tree, tree.rng), Stop)


def test_a_removed_agent_is_not_chosen() -> None:
    for order in ("node-then-model", "stack"):
        tree, search = new_tree(5), AbMcts(["a", "b", "c"], AbMctsConfig(order=order))
        scores = np.random.default_rng(5)
        grow(search, tree, 20, scores)
        search.remove_agent("a")
        grow(search, tree, 80, scores)
        later = Counter(node.agent for node in tree.nodes[20:])
        assert later["a"] == 0
        assert later["c"] > 5
        assert any(tree.nodes[n.parent_id].agent == "a" for n in tree.nodes[20:] if n.parent_id is not None), (
            "nodes of a removed agent are still refined"
        )


def by_definition(tree: Tree, stack: bool) -> dict[Any, list[float]]:
    """Every arm's observations, straight from DESIGN §3, each as a list."""
    arms: dict[Any, list[float]] = {}
    for node in tree:

        def observe(*arm: Any, score: float = node.score) -> None:
            arms.setdefault(arm, []).append(score)

        observe("agent", node.agent)
        observe("gen", node.parent_id, node.agent if stack else None)
        observe("child", node.id)
        below = node.parent_id
        while below is not None:
            observe("child", below)
            observe("cont", tree.nodes[below].parent_id, tree.nodes[below].agent if stack else None)
            below = tree.nodes[below].parent_id
    return arms


@pytest.mark.parametrize("order", ["node-then-model", "stack"])
@pytest.mark.parametrize("cap", [None, 2])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_order_of_completion(order: Any, cap: int | None, seed: int) -> None:
    """Random choices, completions and cancellations: statistics equal the definition; rebuild gives them exactly."""
    events = np.random.default_rng(seed)
    tree, search = new_tree(seed), AbMcts(["a", "b", "c"], AbMctsConfig(order=order, max_pending_per_node=cap))
    for _ in range(60):
        choice = search.choose(tree, tree.rng)
        if isinstance(choice, Choice) and events.random() < 0.5:
            tree.expand(choice.parent_id, choice.agent)
        elif tree.pending:
            expansion = tree.pending[int(events.choice(list(tree.pending)))]
            if events.random() < 0.2:
                tree.cancel(expansion)
            else:
                search.tell(tree, finish(tree, expansion, float(events.random())))

    rebuilt = AbMcts(["a", "b", "c"], AbMctsConfig(order=order, max_pending_per_node=cap))
    rebuild(rebuilt, tree)
    definition = by_definition(tree, order == "stack")

    def expected(*arm: Any) -> Any:
        scores = definition.get(arm, [])
        return pytest.approx((len(scores), sum(scores), sum(r * r for r in scores)), abs=1e-12)

    for node_id in [None, *range(len(tree))]:
        children = set[int]()
        for agent in ["a", "b", "c"] if order == "stack" else [None]:
            arms = search.arms(node_id, agent)
            assert arms == rebuilt.arms(node_id, agent)
            assert arms.generate == expected("gen", node_id, agent)
            assert arms.go_on == expected("cont", node_id, agent)
            for child, observations in arms.children.items():
                assert observations == expected("child", child)
            children.update(arms.children)
        assert children == set(tree.children(node_id))
    for agent in "abc":
        assert search._arms.of_agent(agent) == rebuilt._arms.of_agent(agent) == expected("agent", agent)
    state = tree.rng.bit_generator.state
    choice = search.choose(tree, tree.rng)
    tree.rng.bit_generator.state = state
    assert rebuilt.choose(tree, tree.rng) == choice


@pytest.mark.parametrize("length", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_long_chain_is_rebuilt_and_grown(length: int) -> None:
    tree = new_tree()
    for i in range(length):
        add(tree, i - 1 if i else None, "a", 0.5)
    search = AbMcts(["a"])
    rebuild(search, tree)
    assert search.arms(None).go_on[0] == length - 1
    assert search.arms(length - 500).go_on[0] == 498  # nodes below its only child
    grow(search, tree, length + 10, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"posterior": "cauchy"}, "posterior: got 'cauchy'; must be 'beta' or 'gaussian'"),
        ({"order": "agent"}, "order: got 'agent'; must be"),
        ({"agent_choice": "best"}, "agent_choice: got 'best'; must be"),
        ({"max_pending_per_node": 0}, "max_pending_per_node: got 0; must be >= 1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AbMcts(["a"], AbMctsConfig(**options))
