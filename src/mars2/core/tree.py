"""One search tree per problem. The tree, pending expansions included, is the whole state of a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from mars2.core.completion import Completion, Prompt
from mars2.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Expansion:
    """A node being generated: `agent` is writing a child of `parent_id` (None: a first attempt, child of the root)."""

    id: int  # 0, 1, … in order of choice; unique in its tree
    parent_id: int | None
    agent: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one expansion's calls to its backend."""

    expansion_id: int
    agent: str
    num_calls: int  # that failed
    is_cancelled: bool  # no call succeeded: the expansion was given up
    is_last: bool  # the agent was given up with it
    error: str  # of the last failed call


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of an expansion: the completion, the program in it, its verdicts and its score."""

    prompt: Prompt
    completion: Completion
    program: str | None  # None: no code found in the answer
    public_verdict: Verdict
    hidden_verdict: Verdict | None  # None: not judged (no hidden tests, or not wanted)
    score: float  # in [0, 1]; what search sees
    program_reason: str = ""  # which part of the answer was taken as the program, and why
    elapsed_s: float = 0.0  # seconds that its tree had been growing when this was finished; interruptions left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Result):
    """One attempt at the problem: a result in its place in the tree."""

    id: int  # 0, 1, … in the order in which search was told
    expansion_id: int
    parent_id: int | None  # None: child of the root
    agent: str
    depth: int  # 1 for a first attempt

    @property
    def is_correct(self) -> bool:
        """Every test that was run passed, public and hidden."""
        return self.public_verdict.accepted and (self.hidden_verdict is None or self.hidden_verdict.accepted)


class Tree:
    """Nodes and pending expansions of one search.

    Nodes are only ever added; `parent_id` is set once. The root is not a node: it is `None`.
    """

    def __init__(self, tree_id: str, problem_id: str) -> None:
        self.tree_id = tree_id
        self.problem_id = problem_id
        self.nodes: list[Node] = []
        self.pending: dict[int, Expansion] = {}
        self.held: dict[int, Result] = {}  # expansion id → what it brought: finished, not yet told; still pending
        self.failures: list[Failure] = []
        self.num_cancelled = 0
        self._children: dict[int | None, list[int]] = {None: []}
        self._next_expansion_id = 0
        self._node_of_expansion: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def next_expansion_id(self) -> int:
        return self._next_expansion_id

    def children(self, node_id: int | None) -> list[int]:
        """Ids of the children of a node, oldest first; `None` asks for the root's."""
        return self._children[node_id]

    def depth(self, node_id: int | None) -> int:
        """0 for the root, 1 for a first attempt, …"""
        return 0 if node_id is None else self.nodes[node_id].depth

    def path(self, node_id: int | None) -> list[int]:
        """Node ids from a first attempt down to `node_id`; [] for the root."""
        path: list[int] = []
        while node_id is not None:
            path.append(node_id)
            node_id = self.nodes[node_id].parent_id
        path.reverse()
        return path

    def expand(self, parent_id: int | None, agent: str) -> Expansion:
        """Record that `agent` starts writing a child of `parent_id`."""
        if parent_id is not None and not 0 <= parent_id < len(self.nodes):
            raise KeyError(f"tree {self.tree_id} has no node {parent_id}")
        expansion = Expansion(self._next_expansion_id, parent_id, agent)
        self._next_expansion_id += 1
        self.pending[expansion.id] = expansion
        return expansion

    def add(self, expansion: Expansion, result: Result) -> Node | None:
        """Finish a pending expansion (`hold`, then `admit`). A second call, or a call after `cancel`, does nothing.

        Returns the new node; the existing one if it was added before; None if the expansion was cancelled.
        """
        self.hold(expansion, result)
        return self.admit(expansion)

    def hold(self, expansion: Expansion, result: Result) -> Result | None:
        """Keep the result of a pending expansion until its turn comes (`admit`). Search still sees it as pending.

        Returns the result that is held (the first one counts); None if the expansion is not pending.
        """
        if expansion.id not in self.pending:
            return None
        if not 0.0 <= result.score <= 1.0:
            raise ValueError(f"score must be in [0, 1], got {result.score}")
        return self.held.setdefault(expansion.id, result)

    def admit(self, expansion: Expansion) -> Node | None:
        """Make a held expansion a node. Idempotent; returns as `add` does."""
        if expansion.id in self._node_of_expansion:
            return self.nodes[self._node_of_expansion[expansion.id]]
        result = self.held.pop(expansion.id, None)
        if result is None:
            return None
        del self.pending[expansion.id]
        node = Node(
            id=len(self.nodes),
            expansion_id=expansion.id,
            parent_id=expansion.parent_id,
            agent=expansion.agent,
            depth=self.depth(expansion.parent_id) + 1,
            **{f.name: getattr(result, f.name) for f in fields(Result)},
        )
        self._attach(node)
        return node

    def cancel(self, expansion: Expansion) -> bool:
        """Give up a pending expansion. Idempotent; True if it was pending."""
        if self.pending.pop(expansion.id, None) is None:
            return False
        self.held.pop(expansion.id, None)
        self.num_cancelled += 1
        return True

    def restore(
        self,
        nodes: list[Node],
        *,
        next_expansion_id: int,
        num_cancelled: int,
        pending: Iterable[Expansion] = (),
        held: Mapping[int, Result] | None = None,
        failures: Iterable[Failure] = (),
    ) -> None:
        """Refill an empty tree with saved nodes, in id order, and with the expansions that were pending then."""
        if self.nodes or self.pending:
            raise ValueError(f"tree {self.tree_id} is not empty")
        for node in nodes:
            self._attach(node)
        self._next_expansion_id = next_expansion_id
        self.num_cancelled = num_cancelled
        self.pending = {expansion.id: expansion for expansion in pending}
        self.held = dict(held or {})
        self.failures = list(failures)

    def _attach(self, node: Node) -> None:
        if node.id != len(self.nodes):
            raise ValueError(f"tree {self.tree_id}: expected node {len(self.nodes)}, got {node.id}")
        self.nodes.append(node)
        self._children[node.id] = []
        self._children[node.parent_id].append(node.id)
        self._node_of_expansion[node.expansion_id] = node.id
