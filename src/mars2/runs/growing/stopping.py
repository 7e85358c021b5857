"""Rules that stop a tree before its budget is spent. They never look at hidden tests."""

from __future__ import annotations

from collections import Counter

from mars2.config.growing import StoppingConfig
from mars2.core.tree import Node
from mars2.search.selection import program_key


class Stopping:
    """The rules at work on one tree. Tell it every node, in id order."""

    def __init__(self, rules: StoppingConfig) -> None:
        self._rules = rules
        self._votes: Counter[str] = Counter()  # program key → nodes, of programs that pass all public tests
        self._best = -1.0
        self._num_since_best = 0

    def tell(self, node: Node) -> None:
        verdict = node.public_verdict
        self._num_since_best += 1
        if verdict.fraction_passed > self._best:
            self._best, self._num_since_best = verdict.fraction_passed, 0
        is_counted = self._rules.solved is not None or self._rules.consensus_margin is not None
        if is_counted and verdict.accepted and verdict.tests and node.program is not None:
            self._votes[program_key(node.program)] += 1

    @property
    def reason(self) -> str | None:
        """Why the tree should stop; None: it should not."""
        rules = self._rules
        if rules.solved is not None and len(self._votes) >= rules.solved:
            return "solved"
        if rules.consensus_margin is not None and self._votes:
            (_, first), (_, second) = [*self._votes.most_common(2), ("", 0)][:2]
            if first - second >= rules.consensus_margin:
                return "consensus"
        if rules.patience is not None and self._num_since_best >= rules.patience:
            return "no improvement"
        return None
