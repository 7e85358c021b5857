"""What every search strategy promises, whatever it prefers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest

from mars2.config.search import AbMctsConfig, DepthGuidedConfig, RefineBestConfig, TPlusConfig, TreeQuestConfig
from mars2.core.completion import Completion
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Expansion, Node, Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.sequential import Sequential
from mars2.search.strategy import Strategy, rebuild
from mars2.search.t_plus import TPlus
from mars2.search.treequest_adapter import ALGORITHMS, TreeQuestSearch

Make = Callable[[list[str]], Strategy]

OURS: dict[str, Make] = {
    "best_of_n": BestOfN,
    "sequential": Sequential,
    "refine_best": RefineBest,
    "refine_best-3": lambda agents: RefineBest(agents, RefineBestConfig(num_first_attempts=3)),
    "mcts": Mcts,
    "ab_mcts": AbMcts,
    "ab_mcts-gaussian": lambda agents: AbMcts(agents, AbMctsConfig(posterior="gaussian")),
    "ab_mcts-stack": lambda agents: AbMcts(agents, AbMctsConfig(order="stack")),
    "ab_mcts-ucb1": lambda agents: AbMcts(agents, AbMctsConfig(agent_choice="ucb1")),
    "ab_mcts-cap": lambda agents: AbMcts(agents, AbMctsConfig(max_pending_per_node=1)),
    "depth_guided": DepthGuided,
    "depth_guided-node-gaussian": lambda agents: DepthGuided(
        agents, DepthGuidedConfig(count_scope="node", posterior="gaussian")
    ),
    "t_plus": TPlus,
    "t_plus-stack-gaussian": lambda agents: TPlus(agents, TPlusConfig(order="stack", posterior="gaussian")),
    "t_plus-arm-cap": lambda agents: TPlus(agents, TPlusConfig(go_on="arm", max_pending_per_node=1)),
}

needs_treequest = pytest.mark.skipif(
    importlib.util.find_spec("treequest") is None, reason="treequest is not installed: pip install 'mars2[treequest]'"
)


def treequest(algorithm: str) -> Make:
    return lambda agents: TreeQuestSearch(agents, TreeQuestConfig(algorithm=algorithm))


THEIRS: dict[str, Make] = {f"treequest:{name}": treequest(name) for name in ALGORITHMS if name != "ABMCTSM"}

our_strategies = pytest.mark.parametrize("make", OURS.values(), ids=OURS)
all_strategies = pytest.mark.parametrize(
    "make",
    [
        *(pytest.param(make, id=name) for name, make in OURS.items()),
        *(pytest.param(make, id=name, marks=needs_treequest) for name, make in THEIRS.items()),
    ],
)


class SeededTree(Tree):
    """A tree with a random stream for the test to pass to `choose`."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__("tree", "problem")
        self.rng = np.random.default_rng(seed)


def new_tree(seed: int = 0) -> SeededTree:
    return SeededTree(seed)


def finish(search: Strategy, tree: Tree, expansion: Expansion, score: float) -> None:
    node = tree.add(
        expansion,
        Result(
            prompt=(),
            completion=Completion("", "stop", "policy", 0),
            program="pass",
            public_verdict=Verdict(Status.WA, ()),
            hidden_verdict=None,
            score=score,
        ),
    )
    assert node is not None
    search.tell(tree, node)


def grow(search: Strategy, tree: Tree, num_nodes: int, scores: np.random.Generator, concurrency: int = 1) -> None:
    """Keep `concurrency` expansions under way, finish them in random order, and check every choice."""
    while len(tree) < num_nodes:
        while len(tree.pending) < concurrency:
            choice = search.choose(tree, tree.rng)
            if isinstance(choice, Stop):
                assert tree.pending, f"stopped with nothing under way: {choice.reason}"
                break
            assert choice.agent in search.agents
            tree.expand(choice.parent_id, choice.agent)  # KeyError if there is no such parent
        expansion = tree.pending[int(scores.choice(list(tree.pending)))]
        if scores.random() < 0.1:
            tree.cancel(expansion)
        else:
            finish(search, tree, expansion, float(scores.integers(5)) / 4)


def shape(tree: Tree) -> list[tuple[int | None, str]]:
    return [(node.parent_id, node.agent) for node in tree]


@all_strategies
def test_grows_a_tree_with_known_agents_and_existing_parents(make: Make) -> None:
    tree = new_tree()
    grow(make(["a", "b"]), tree, 40, np.random.default_rng(0))
    assert {node.agent for node in tree} <= {"a", "b"}


@all_strategies
def test_works_with_many_expansions_under_way(make: Make) -> None:
    grow(make(["a", "b", "c"]), new_tree(), 60, np.random.default_rng(1), concurrency=16)


@all_strategies
def test_the_first_choice_is_a_first_attempt(make: Make) -> None:
    tree = new_tree()
    choice = make(["a", "b"]).choose(tree, tree.rng)
    assert isinstance(choice, Choice)
    assert choice.parent_id is None


@all_strategies
def test_works_with_one_agent(make: Make) -> None:
    tree = new_tree()
    grow(make(["only"]), tree, 20, np.random.default_rng(2), concurrency=3)
    assert {node.agent for node in tree} == {"only"}


@all_strategies
def test_depends_on_the_given_random_stream_only(make: Make) -> None:
    shapes: list[list[tuple[int | None, str]]] = []
    for global_seed in (0, 1):
        np.random.seed(global_seed)
        tree = new_tree(7)
        grow(make(["a", "b"]), tree, 30, np.random.default_rng(3), concurrency=4)
        shapes.append(shape(tree))
        assert np.random.get_state()[2] == np.random.RandomState(global_seed).get_state()[2], "global stream was used"
    assert shapes[0] == shapes[1]


@all_strategies
def test_choose_changes_neither_tree_nor_expansions(make: Make) -> None:
    tree, search = new_tree(), make(["a", "b"])
    grow(search, tree, 10, np.random.default_rng(4), concurrency=2)
    before = shape(tree), dict(tree.pending)
    search.choose(tree, tree.rng)
    assert (shape(tree), dict(tree.pending)) == before


@pytest.mark.parametrize(
    ("make", "concurrency"),
    [
        *(pytest.param(make, k, id=f"{name}-{k}") for name, make in OURS.items() for k in (1, 8)),
        *(pytest.param(make, 1, id=name, marks=needs_treequest) for name, make in THEIRS.items()),
    ],
)
def test_resumes_by_replay(make: Make, concurrency: int) -> None:
    """A search rebuilt from the nodes goes on exactly as the one that grew them."""
    tree, search = new_tree(5), make(["a", "b"])
    grow(search, tree, 30, np.random.default_rng(5), concurrency)
    for expansion in list(tree.pending.values()):
        tree.cancel(expansion)  # as a resume does
    resumed_tree, resumed = new_tree(), make(["a", "b"])
    resumed_tree.restore(list(tree.nodes), next_expansion_id=tree.next_expansion_id, num_cancelled=tree.num_cancelled)
    resumed_tree.rng.bit_generator.state = tree.rng.bit_generator.state
    rebuild(resumed, resumed_tree)
    grow(search, tree, 60, np.random.default_rng(6), concurrency)
    grow(resumed, resumed_tree, 60, np.random.default_rng(6), concurrency)
    assert shape(tree) == shape(resumed_tree)


@all_strategies
def test_a_node_told_twice_or_out_of_order_is_refused(make: Make) -> None:
    tree, search = new_tree(), make(["a"])
    grow(search, tree, 3, np.random.default_rng(7))
    node: Node = tree.nodes[-1]
    with pytest.raises(ValueError, match="told in id order; expected 3, got 2"):
        search.tell(tree, node)


@our_strategies
def test_agents_go(make: Make) -> None:
    tree, search, scores = new_tree(), make(["a", "b", "c"]), np.random.default_rng(8)
    grow(search, tree, 10, scores, concurrency=2)
    for expansion in list(tree.pending.values()):
        tree.cancel(expansion)
    search.remove_agent("a")
    assert search.agents == ("b", "c")
    grow(search, tree, 40, scores, concurrency=2)
    assert {node.agent for node in tree.nodes[10:]} == {"b", "c"}
    search.remove_agent("b")
    search.remove_agent("c")
    assert search.choose(tree, tree.rng) == Stop("no agents left")
