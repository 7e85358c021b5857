"""Trees for the search tests: nodes that carry a score and nothing else of interest."""

from __future__ import annotations

import numpy as np

from mars2.core.completion import Completion
from mars2.core.protocols import Choice, Search
from mars2.core.tree import Expansion, Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict

COMPLETION = Completion("", "stop", "policy", 0)


class SeededTree(Tree):
    """A tree with a random stream for the test to pass to `choose`."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__("tree", "problem")
        self.rng = np.random.default_rng(seed)


def new_tree(seed: int = 0) -> SeededTree:
    return SeededTree(seed)


def verdict(passed: int, of: int = 4) -> Verdict:
    statuses = [Status.AC] * passed + [Status.WA] * (of - passed)
    return Verdict(Status.AC if passed == of else Status.WA, tuple(TestResult(s) for s in statuses))


def finish(tree: Tree, expansion: Expansion, score: float, *, program: str | None = "pass", passed: int = 0) -> Node:
    node = tree.add(
        expansion,
        Result(
            prompt=(),
            completion=COMPLETION,
            program=program,
            public_verdict=verdict(passed),
            hidden_verdict=None,
            score=score,
        ),
    )
    assert node is not None
    return node


def add(tree: Tree, parent_id: int | None, agent: str, score: float, **kwargs: object) -> Node:
    return finish(tree, tree.expand(parent_id, agent), score, **kwargs)  # type: ignore[arg-type]


def grow(search: Search, tree: SeededTree, num_nodes: int, scores: np.random.Generator) -> None:
    """One expansion at a time, uniform scores."""
    while len(tree) < num_nodes:
        choice = search.choose(tree, tree.rng)
        assert isinstance(choice, Choice)
        search.tell(tree, add(tree, choice.parent_id, choice.agent, float(scores.random())))
