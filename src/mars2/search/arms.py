"""The arms of AB-MCTS-A and their back-up: GEN and CONT of every node, every child, every agent.

They are flat tables of sufficient statistics, so a back-up costs O(depth), without fitting, copying or recursion. A
site is a place where a child can be made: 0 is the root, i + 1 is node i.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mars2.core.tree import Node
from mars2.search.posteriors import Moments, Observations

ROOT = 0
NOTHING: Observations = (0.0, 0.0, 0.0)


def site_of(node_id: int | None) -> int:
    """The site of a node, ROOT for None."""
    return ROOT if node_id is None else node_id + 1


def node_at(site: int) -> int | None:
    """The node at a site, None at ROOT."""
    return None if site == ROOT else site - 1


def indices(rows: array[int]) -> NDArray[np.int64]:
    """The same numbers for numpy, without a copy. Do not keep the result: while it exists, `rows` cannot grow."""
    return np.frombuffer(rows, dtype=np.int64)


@dataclass(slots=True)
class Gate:
    """One decision between GEN and CONT: of a site, or, with gates per agent, of a site and an agent."""

    row: int  # in the tables of GEN and CONT
    children: array[int] = field(default_factory=lambda: array("q"))  # sites, oldest first


class TreeArms:
    """All arms of one tree.

    Args:
        per_agent: keep GEN, CONT and children of a site apart by the agent that wrote the child (TreeQuest's `stack`).
        own_score_weight: k; a node's own score counts as k more observations of its child arm, its GEN and its CONT.
        back_up_best: an arm is told the best score on the path from its node to the new one, instead of the new score.
    """

    def __init__(self, *, per_agent: bool, own_score_weight: float = 0.0, back_up_best: bool = False) -> None:
        self.per_agent = per_agent
        self._own_score_weight = own_score_weight
        self._back_up_best = back_up_best
        self._score = [0.0]  # site -> score of its node
        self.generate = Moments()  # row = Gate.row
        self.go_on = Moments()  # row = Gate.row
        self.child = Moments()  # row = site
        self.child.add_row()  # the root is nobody's child
        self._gates: dict[tuple[int, str | None], Gate] = {}
        self._parent = [ROOT]  # site -> site of its parent
        self._gate_above = [-1]  # site -> row of the gate it is a child of
        self._agents = Moments()
        self._agent_rows: dict[str, int] = {}

    @property
    def agents(self) -> list[str]:
        """Every agent that wrote a node, in order of its first."""
        return list(self._agent_rows)

    def of_agent(self, agent: str) -> Observations:
        """Scores of all nodes that `agent` wrote."""
        row = self._agent_rows.get(agent)
        return NOTHING if row is None else self._agents.one(row)

    def gate(self, site: int, agent: str | None) -> Gate | None:
        """The gate of a site (`agent` None unless `per_agent`); None if nothing was made there."""
        return self._gates.get((site, agent))

    def back_up(self, node: Node) -> None:
        """Add `node.score` to its agent, GEN of its parent, its own arm, and the child arm and CONT of each edge above.

        Nodes come in id order. A score is never added to CONT of the node's own parent.
        """
        score = node.score
        site = self.child.add_row()
        self._score.append(score)
        parent = site_of(node.parent_id)
        gate = self._open_gate(parent, node.agent if self.per_agent else None)
        gate.children.append(site)
        self._parent.append(parent)
        self._gate_above.append(gate.row)
        if node.agent not in self._agent_rows:
            self._agent_rows[node.agent] = self._agents.add_row()

        self._agents.observe(self._agent_rows[node.agent], score)
        best = max(score, self._score[parent]) if self._back_up_best else score
        self.generate.observe(gate.row, best)
        self.child.observe(site, score, 1.0 + self._own_score_weight)
        sites, gates, bests = array("q"), array("q"), array("d")
        while (site := self._parent[site]) != ROOT:
            sites.append(site)
            gates.append(self._gate_above[site])
            bests.append(best)
            best = max(best, self._score[self._parent[site]])
        if sites:
            heard = np.frombuffer(bests) if self._back_up_best else score
            self.child.observe(indices(sites), heard)
            self.go_on.observe(indices(gates), heard)

    def _open_gate(self, site: int, agent: str | None) -> Gate:
        gate = self._gates.get((site, agent))
        if gate is None:
            gate = self._gates[site, agent] = Gate(self.generate.add_row())
            self.go_on.add_row()
            if site != ROOT and self._own_score_weight:
                self.generate.observe(gate.row, self._score[site], self._own_score_weight)
                self.go_on.observe(gate.row, self._score[site], self._own_score_weight)
        return gate
