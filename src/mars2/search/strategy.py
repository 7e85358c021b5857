"""The base of all strategies: the agents that may be chosen, how often each was used, and resume by replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mars2.core.errors import ConfigError
from mars2.core.protocols import Choice, Search, Stop
from mars2.core.tree import Node, Tree


class Strategy(ABC):
    """Base of the strategies: a `Search` whose agents may change in mid-search."""

    def __init__(self, agents: Sequence[str]) -> None:
        """`agents`: names in the order that ties and turns follow.

        Raises:
            ConfigError: no agents, or a name given twice.
        """
        if not agents:
            raise ConfigError("search.agents must name at least one agent, got none; list the agents that may write")
        for agent, count in Counter(agents).items():
            if count > 1:
                raise ConfigError(f"search.agents has {agent!r} {count} times; give every agent its own name")
        self._agents = list(agents)
        self._uses: Counter[str] = Counter()
        self._num_told = 0

    @abstractmethod
    def choose(self, tree: Tree, rng: np.random.Generator) -> Choice | Stop:
        """Pick where to grow next."""

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that may be chosen now."""
        return tuple(self._agents)

    def remove_agent(self, agent: str) -> None:
        """Never choose `agent` again. Its nodes stay and can be refined by others."""
        if agent not in self._agents:
            raise ConfigError(f"search.agents has no {agent!r} to remove; it has {', '.join(self._agents) or 'none'}")
        self._agents.remove(agent)

    def tell(self, tree: Tree, node: Node) -> None:
        """Count `node`. Nodes must be told once each, in id order."""
        if node.id != self._num_told:
            raise ValueError(
                f"tree {tree.tree_id}: nodes are told in id order; expected {self._num_told}, got {node.id}"
            )
        self._num_told += 1
        self._uses[node.agent] += 1

    def _next_agent(self, tree: Tree) -> str:
        """The agent with the fewest nodes and pending expansions; the first listed wins ties: agents take turns."""
        pending = Counter(expansion.agent for expansion in tree.pending.values())
        return min(self._agents, key=lambda agent: self._uses[agent] + pending[agent])


def rebuild(search: Search, tree: Tree) -> None:
    """Bring a fresh `search` to the state it would have after growing `tree`: every tell again, in id order."""
    for node in tree:
        search.tell(tree, node)
