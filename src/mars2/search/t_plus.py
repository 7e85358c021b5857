"""The search of MARS2-T+ as recommended here: depth-guided, and ready to refine its best programs from the start."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from mars2.config.search import TPlusConfig
from mars2.core.tree import Tree
from mars2.search.arms import Gate, TreeArms, indices, node_at
from mars2.search.depth_guided import DepthGuided


class TPlus(DepthGuided):
    """`DepthGuided` with three changes, each an option, that let it exploit a good program within a small budget.

    AB-MCTS gives a child's own score to GEN of its parent, not to CONT: a better child first makes its parent look
    worth widening, and every new arm starts from a prior that knows nothing. Here, with r_p the score of node p:

    - own score: a child arm, GEN and CONT of p start with k = `own_score_weight` observations of r_p (the arm's own one
      comes on top; the root has none). Beta: GEN(p) ~ Beta(½ + k·r_p + Σr, ½ + k·(1 − r_p) + n − Σr).
    - best: for a new node c, GEN of its parent p hears max(r_p, r_c), and for every edge a → b above, the arm of b and
      CONT(a) hear the best score on the path from b to c. A refinement that fails leaves its parent as good as before.
    - best child: CONT is the largest of the children's draws, and the search goes on below that child; CONT has no arm.

    With own_score_weight=0, back_up="score" and go_on="arm" it is `DepthGuided`. Differs from arXiv:2602.07848, which
    has AB-MCTS's arms; docs/search.md has what each change does.

    Here γ falls less per level than in `DepthGuided`, and c counts per node.
    """

    def __init__(self, agents: Sequence[str], options: TPlusConfig | None = None) -> None:
        options = options or TPlusConfig()
        super().__init__(agents, options)
        self._by_child = options.go_on == "best-child"
        self._arms = TreeArms(
            per_agent=self._stack,
            own_score_weight=options.own_score_weight,
            back_up_best=options.back_up == "best",
        )

    def _descend(
        self, tree: Tree, site: int, gate: Gate, children: array[int], may_generate: bool, rng: np.random.Generator
    ) -> int | None:
        """`go_on` "best-child": GEN against the largest of the children's draws; GEN wins ties."""
        if not self._by_child:
            return super()._descend(tree, site, gate, children, may_generate, rng)
        best, value = self._posterior.draw_largest(self._arms.child, indices(children), rng)
        if may_generate:
            generate = self._posterior.draw(*self._arms.generate.one(gate.row), rng)
            if self.scale_generation(tree, node_at(site), generate) >= value:
                return None
        return children[best]
