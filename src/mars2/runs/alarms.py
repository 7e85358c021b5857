"""Plain words for signs of trouble in a training round, so that they are seen before they cost a run."""

from __future__ import annotations

from collections.abc import Mapping

LOGPROB_GAP = 0.05  # mean |log-prob of trainer − of sampler|; float32 on one machine gives about 1e-6
KL = 1.0  # nats a token
STARVED_SHARE = 0.02
TRUNCATED_FRACTION = 0.5


def find_alarms(scopes: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What is wrong with these metrics (scope → name → value); [] if nothing is."""
    found: list[str] = []
    for scope, values in scopes.items():
        kind, _, name = scope.partition("/")
        if kind == "policy":
            if values.get("logprob_gap", 0.0) > LOGPROB_GAP:
                found.append(
                    f"policy {name}: sampler and trainer disagree on log-probs by {values['logprob_gap']:.3g} on "
                    "average; are the sampler's weights the trainer's?"
                )
            if values.get("kl", 0.0) > KL:
                found.append(
                    f"policy {name}: KL to the reference is {values['kl']:.3g}; lower learning_rate or raise kl_beta"
                )
            if values.get("skipped_steps", 0.0) > 0:
                found.append(f"policy {name}: an optimizer step was not finite and was skipped")
        if kind == "agent":
            if values.get("share_of_expansions", 1.0) < STARVED_SHARE:
                found.append(f"agent {name}: chosen for only {100 * values['share_of_expansions']:.1f}% of expansions")
            if values.get("truncated_fraction", 0.0) > TRUNCATED_FRACTION:
                found.append(f"agent {name}: most answers end at sampling.max_tokens; raise it")
        if kind == "run" and values.get("trees_kept_fraction", 1.0) == 0.0:
            found.append("every tree of the round was filtered out: all its rewards were equal")
    return found
