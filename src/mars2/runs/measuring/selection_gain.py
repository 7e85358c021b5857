"""How much a reward model improves the choice of the answer: the same trees, with and without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mars2.core.problem import Problem
from mars2.core.protocols import RewardModel
from mars2.core.statistics import Estimate, mean_ci, paired_gain_ci
from mars2.core.tree import Tree
from mars2.runs.measuring.reward_data import label
from mars2.search.selection import choose_answer, finalists


@dataclass(frozen=True, slots=True)
class SelectionGain:
    """Chosen success by problem (a problem's trees averaged), paired; intervals are 95% bootstrap over problems."""

    num_problems: int
    num_trees: int
    num_open_trees: int  # trees with right and wrong finalists: only in these can the choice matter
    by_public_tests: Estimate
    by_reward_model: Estimate
    gain: Estimate
    best_possible: float  # some finalist is right

    def payload(self) -> dict[str, Any]:
        interval = {name: getattr(self, name) for name in ("by_public_tests", "by_reward_model", "gain")}
        return {
            "num_problems": self.num_problems,
            "num_trees": self.num_trees,
            "num_open_trees": self.num_open_trees,
            **{name: estimate.mean for name, estimate in interval.items()},
            **{f"{name}_ci95": [estimate.lo, estimate.hi] for name, estimate in interval.items()},
            "best_possible": self.best_possible,
        }


def selection_gain(trees: Sequence[Tree], problems: Mapping[str, Problem], model: RewardModel) -> SelectionGain | None:
    """For each tree: is the earliest finalist right, and is the one with the best score right? None without trees.

    Trees with a finalist of unknown label are left out.
    """
    outcomes: dict[str, list[tuple[float, float, float]]] = {}
    num_open = 0
    for tree in trees:
        problem = problems[tree.problem_id]
        last = finalists(tree)
        right = {node.id: label(node, problem) for node in last}
        if not last or None in right.values():
            continue
        scores = model.score(problem, [node.program or "" for node in last]) if len(last) > 1 else [1.0]
        plain = choose_answer(tree)
        weighted = choose_answer(tree, weights={n.id: s for n, s in zip(last, scores, strict=True)})
        assert plain is not None
        assert weighted is not None
        num_open += len(set(right.values())) > 1
        triple = (float(right[plain] or False), float(right[weighted] or False), float(any(right.values())))
        outcomes.setdefault(tree.problem_id, []).append(triple)
    if not outcomes:
        return None
    before, after, best = (
        [sum(t[i] for t in triples) / len(triples) for triples in outcomes.values()] for i in range(3)
    )
    return SelectionGain(
        num_problems=len(outcomes),
        num_trees=sum(map(len, outcomes.values())),
        num_open_trees=num_open,
        by_public_tests=mean_ci(before),
        by_reward_model=mean_ci(after),
        gain=paired_gain_ci(before, after),
        best_possible=sum(best) / len(best),
    )
