"""What a learner learns from: one node, its advantage, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """One (prompt, output) pair with its advantage. Ids and log-probs are the sampler's own."""

    key: str  # "tree_id/node_id": unique in a run; the ledger that proves nothing is trained twice
    tree_id: str
    node_id: int
    agent: str
    policy: str
    policy_version: int
    prompt_ids: tuple[int, ...]  # [P]
    output_ids: tuple[int, ...]  # [L]
    rollout_logprobs: tuple[float, ...]  # [L] natural log
    reward: float  # raw
    shaped: float
    advantage: float
