"""Figures of each agent over a batch of training trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mars2.credit.assignment import CreditedTree


def tree_metrics(credited: Sequence[CreditedTree], agents: Iterable[str]) -> dict[str, dict[str, float]]:
    """Scope → name → value, over the nodes of `credited`: one scope per agent, and ``run`` for the team."""
    num_nodes = sum(len(c.tree) for c in credited)
    scopes: dict[str, dict[str, float]] = {}
    for agent in agents:
        nodes = [(c, n) for c in credited for n in c.tree if n.agent == agent]
        values = {"share_of_expansions": len(nodes) / num_nodes if num_nodes else 0.0}
        if nodes:
            values |= {
                "reward_mean": _mean(c.rewards[n.id] for c, n in nodes),
                "pass_rate": _mean(n.is_correct for _, n in nodes),
                "score_mean": _mean(n.score for _, n in nodes),
                "response_length": _mean(n.completion.output_tokens for _, n in nodes),
                "truncated_fraction": _mean(n.completion.finish_reason == "length" for _, n in nodes),
                "no_program_fraction": _mean(n.program is None for _, n in nodes),
            }
        advantages = [c.advantages[n.id] for c, n in nodes if c.is_kept]
        if advantages:
            values["advantage_std"] = float(np.std(advantages))
        first = [n.is_correct for _, n in nodes if n.parent_id is None]
        if first:
            values["first_attempt_pass_rate"] = _mean(first)
        refined = [n.is_correct for _, n in nodes if n.parent_id is not None]
        if refined:
            values["refinement_pass_rate"] = _mean(refined)
        scopes[f"agent/{agent}"] = values
    if credited:
        scopes["run"] = {
            "trees_kept_fraction": _mean(c.is_kept for c in credited),
            "team_pass_rate": _mean(any(n.is_correct for n in c.tree) for c in credited),
            "tree_depth": _mean(max((n.depth for n in c.tree), default=0) for c in credited),
        }
    return scopes


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([float(v) for v in values]))
