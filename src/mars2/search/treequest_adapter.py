"""Any algorithm of TreeQuest (the `treequest` extra) behind the `Search` protocol, for side-by-side comparison."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from mars2.config.search import TreeQuestConfig
from mars2.core.errors import ConfigError
from mars2.core.optional import need
from mars2.core.protocols import Choice, Stop
from mars2.core.tree import Node, Tree
from mars2.search.strategy import Strategy

ALGORITHMS: dict[str, str] = {
    "ABMCTSA": "treequest",
    "ABMCTSM": "treequest",
    "StandardMCTS": "treequest",
    "TreeOfThoughtsBFSAlgo": "treequest",
    "BestFirstSearchAlgo": "treequest.algos.best_first_search",
    "MultiArmedBanditUCBAlgo": "treequest.algos.multi_armed_bandit_ucb",
}
"""Name of a TreeQuest 0.3 algorithm -> the module that has it."""


class TreeQuestSearch(Strategy):
    """A TreeQuest algorithm that grows our tree: every choose is an ask, every tell a tell.

    TreeQuest draws from numpy's global random state: each ask seeds it from `rng` and puts it back afterwards. Its
    queue-based algorithms (StandardMCTS, TreeOfThoughtsBFSAlgo, BestFirstSearchAlgo) discard results they did not
    queue: such nodes stay in our tree, where TreeQuest never grows them. They are replayed exactly only from trees
    grown one expansion at a time; the others from any tree. The set of agents is fixed.

    Raises:
        ConfigError: the algorithm refuses the options.
        MissingPackage: TreeQuest is not installed.
    """

    def __init__(self, agents: Sequence[str], options: TreeQuestConfig | None = None) -> None:
        super().__init__(agents)
        options = options or TreeQuestConfig()
        name = options.algorithm
        need("treequest", "treequest", f"search.algorithm treequest:{name}")
        try:
            self._algorithm: Any = getattr(import_module(ALGORITHMS[name]), name)(**options.options)
        except ImportError as error:
            raise ConfigError(
                f"search.algorithm treequest:{name} lacks a package of its own: {error}; install it"
            ) from error
        except (TypeError, ValueError, AssertionError) as error:
            raise ConfigError(f"search.options do not suit treequest:{name}, got {options.options}; {error}") from error
        self._state: Any = self._algorithm.init_tree()
        self._theirs: list[int | None] = []  # our node id -> TreeQuest's index; None: discarded
        self._ours: list[int] = []  # TreeQuest's index -> our node id

    def remove_agent(self, agent: str) -> None:
        raise ConfigError(f"search.agents cannot lose {agent!r}: TreeQuest's are fixed; start a new search")

    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        with _global_seed(int(rng.integers(2**32))):
            self._state, trials = self._algorithm.ask_batch(self._state, 1, self._agents)
        if not trials:
            return Stop("TreeQuest has nothing to expand")
        index: int = trials[0].node_to_expand
        return Choice(None if index < 0 else self._ours[index], trials[0].action)

    def tell(self, tree: Tree, node: Node) -> None:
        super().tell(tree, node)
        parent = -1 if node.parent_id is None else self._theirs[node.parent_id]
        self._theirs.append(None)
        trial_id = None if parent is None else self._trial(parent, node.agent)
        if trial_id is None:
            return
        self._state = self._algorithm.tell(self._state, trial_id, (node.id, node.score))
        if len(self._state.tree) == len(self._ours) + 2:  # our nodes, the root, and this one if it was accepted
            self._theirs[node.id] = len(self._ours)
            self._ours.append(node.id)

    def _trial(self, parent: int, agent: str) -> str | None:
        """The trial that asked for this node, or in a replay a new one; None if TreeQuest did not queue it."""
        store = self._state.trial_store
        asked = [t for t in store.running_trials.values() if (t.node_to_expand, t.action) == (parent, agent)]
        if not asked:
            with _global_seed(0):  # the answer is not used; asking prepares queues and statistics
                self._state, _ = self._algorithm.ask_batch(self._state, 1, self._agents)
        node = self._state.tree.get_node(parent)
        if hasattr(store, "next_nodes") and not any(queued is node for queued in store.next_nodes.get(agent, ())):
            return None
        if hasattr(self._state, "thompson_states"):
            self._state.thompson_states.get_or_create(node, self._agents)
        return (asked[0] if asked else store.create_trial(node, agent)).trial_id


@contextmanager
def _global_seed(seed: int) -> Generator[None, None, None]:
    saved = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(saved)
