"""AB-MCTS-A against TreeQuest's `ABMCTSA`: equal posteriors from equal observations, equal distributions of trees.

The ordinary suite compares few trees. The slow test compares MARS2_DIFFERENTIAL_TREES trees per setting and side
(default 350: 2,100 over the six settings).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from search_trees import add, new_tree

from mars2.config.search import AbMctsConfig, DepthGuidedConfig
from mars2.core.protocols import Choice, Search
from mars2.core.tree import Tree
from mars2.search.ab_mcts import AbMcts
from mars2.search.depth_guided import DepthGuided
from mars2.search.posteriors import Beta, Gaussian
from mars2.search.strategy import rebuild

treequest = pytest.importorskip("treequest", reason="treequest is not installed: pip install 'mars2[treequest]'")
stats = pytest.importorskip("scipy.stats", reason="scipy comes with treequest")

AGENTS = ["a", "b"]
NUM_NODES = 64
SETTINGS = [
    (posterior, strategy)
    for posterior in ("beta", "gaussian")
    for strategy in ("multiarm_bandit_thompson", "multiarm_bandit_ucb", "stack")
]
OPTIONS: dict[str, dict[str, Any]] = {
    "multiarm_bandit_thompson": {"agent_choice": "thompson"},
    "multiarm_bandit_ucb": {"agent_choice": "ucb1"},
    "stack": {"order": "stack"},
}


class Reward:
    """The same reward function for both sides: refinement moves the parent's score; b is the better agent."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 1])

    def __call__(self, parent_score: float | None, agent: str) -> float:
        start = 0.3 if parent_score is None else parent_score
        raw = start + (0.05 if agent == "b" else 0.0) + 0.25 * float(self.rng.standard_normal())
        return round(8 * min(max(raw, 0.0), 1.0)) / 8  # eighths, as with eight public tests: many ties


def tree_of_treequest(posterior: str, strategy: str, seed: int) -> tuple[Tree, Any]:
    """A tree grown by TreeQuest, copied into ours, and TreeQuest's own state."""
    np.random.seed(seed)  # TreeQuest draws from the global stream
    algorithm = treequest.ABMCTSA(dist_type=posterior, model_selection_strategy=strategy)
    state, tree, reward = algorithm.init_tree(), new_tree(), Reward(seed)
    for _ in range(NUM_NODES):
        state, trial = algorithm.ask(state, AGENTS)
        parent_id = None if trial.node_to_expand < 0 else trial.node_to_expand
        score = reward(None if parent_id is None else tree.nodes[parent_id].score, trial.action)
        node = add(tree, parent_id, trial.action, score)
        state = algorithm.tell(state, trial.trial_id, (node.id, score))
    return tree, state


def our_tree(search: Search, seed: int) -> Tree:
    tree, reward = new_tree(seed), Reward(seed)
    for _ in range(NUM_NODES):
        choice = search.choose(tree, tree.rng)
        assert isinstance(choice, Choice)
        parent_score = None if choice.parent_id is None else tree.nodes[choice.parent_id].score
        search.tell(tree, add(tree, choice.parent_id, choice.agent, reward(parent_score, choice.agent)))
    return tree


def our_parameters(posterior: str, observations: tuple[float, float, float]) -> tuple[float, ...]:
    if posterior == "beta":
        return Beta().parameters(*observations[:2])
    return Gaussian().parameters(*observations)


def arms_of_both(
    tree: Tree, state: Any, search: AbMcts, stack: bool
) -> Iterator[tuple[Any, tuple[float, float, float]]]:
    """Pairs of TreeQuest's distribution and our observations, for every arm that TreeQuest has."""
    for index, theirs in state.thompson_states.states.items():
        node_id = None if index < 0 else index
        for agent in AGENTS if stack else [None]:
            ours, key = search.arms(node_id, agent), agent or "shared"
            yield theirs.gen_vs_cont_probas[key]["GEN"], ours.generate
            yield theirs.gen_vs_cont_probas[key]["CONT"], ours.go_on
            for position, distribution in theirs.node_probas[key].items():
                yield distribution, ours.children[tree.children(node_id)[position]]
            if agent:
                sums = tuple(g + c for g, c in zip(ours.generate, ours.go_on, strict=True))
                yield theirs.action_probas[agent], (sums[0], sums[1], sums[2])


@pytest.mark.parametrize(("posterior", "strategy"), SETTINGS)
def test_posteriors_are_equal_given_equal_observations(posterior: str, strategy: str) -> None:
    for seed in range(5):
        tree, state = tree_of_treequest(posterior, strategy, seed)
        search = AbMcts(AGENTS, AbMctsConfig(posterior=posterior, **OPTIONS[strategy]))  # type: ignore[arg-type]
        rebuild(search, tree)
        arms = list(arms_of_both(tree, state, search, strategy == "stack"))
        assert len(arms) > NUM_NODES  # a child arm for every node, GEN and CONT for every parent
        for distribution, observations in arms:
            expected = tuple(distribution.params.values())
            assert our_parameters(posterior, observations) == pytest.approx(expected, abs=1e-9)
        for agent in AGENTS:
            scores = state.all_rewards_store[agent]
            squares = sum(r * r for r in scores)
            assert search._arms.of_agent(agent) == pytest.approx((len(scores), sum(scores), squares), abs=1e-9)


STATISTICS = {
    "mean depth": lambda tree: np.mean([node.depth for node in tree]),
    "maximum depth": lambda tree: max(node.depth for node in tree),
    "first attempts": lambda tree: len(tree.children(None)),
    "mean branching": lambda tree: NUM_NODES / len({node.parent_id for node in tree}),
    "share of agent b": lambda tree: np.mean([node.agent == "b" for node in tree]),
    "best score": lambda tree: max(node.score for node in tree),
}


def p_values(ours: list[Tree], theirs: list[Tree]) -> dict[str, float]:
    """Per statistic of a tree: Kolmogorov-Smirnov if it takes more than 12 values, else χ² of the counts."""
    found: dict[str, float] = {}
    for name, statistic in STATISTICS.items():
        x, y = np.array([statistic(t) for t in ours]), np.array([statistic(t) for t in theirs])
        values = np.unique(np.concatenate([x, y]))
        if len(values) > 12:
            found[name] = float(stats.ks_2samp(x, y).pvalue)
            continue
        rare = [v for v in values if (x == v).sum() + (y == v).sum() < 20]  # pooled into one class
        table = [[(z == v).sum() for v in values if v not in rare] + [np.isin(z, rare).sum()] for z in (x, y)]
        table = np.array(table)[:, np.sum(table, axis=0) > 0]
        found[name] = 1.0 if table.shape[1] == 1 else float(stats.chi2_contingency(table, correction=False).pvalue)
    return found


def assert_same_distribution(posterior: str, strategy: str, num_trees: int) -> None:
    ours = [
        our_tree(AbMcts(AGENTS, AbMctsConfig(posterior=posterior, **OPTIONS[strategy])), seed)  # type: ignore[arg-type]
        for seed in range(num_trees)
    ]
    theirs = [tree_of_treequest(posterior, strategy, num_trees + seed)[0] for seed in range(num_trees)]
    found = p_values(ours, theirs)
    print(posterior, strategy, num_trees, {name: round(p, 3) for name, p in found.items()})
    threshold = 0.01 / (len(SETTINGS) * len(STATISTICS))  # Bonferroni
    assert all(p > threshold for p in found.values()), found


@pytest.mark.parametrize(("posterior", "strategy"), SETTINGS)
def test_trees_have_the_same_distribution_few(posterior: str, strategy: str) -> None:
    assert_same_distribution(posterior, strategy, 10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("posterior", "strategy"), SETTINGS)
def test_trees_have_the_same_distribution(posterior: str, strategy: str) -> None:
    assert_same_distribution(posterior, strategy, int(os.environ.get("MARS2_DIFFERENTIAL_TREES", "350")))


def test_the_comparison_notices_another_search() -> None:
    """The p-values tell plain AB-MCTS-A from a depth-guided one."""
    plain = [our_tree(AbMcts(AGENTS), seed) for seed in range(40)]
    again = [our_tree(AbMcts(AGENTS), seed) for seed in range(40, 80)]
    other = [our_tree(DepthGuided(AGENTS, DepthGuidedConfig(gamma=0.8)), seed) for seed in range(40, 80)]
    assert min(p_values(plain, again).values()) > 1e-3
    assert min(p_values(plain, other).values()) < 1e-6
