"""Warns, in plain words, of signs of trouble in a training round."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from statistics import median

LOGPROB_GAP = 0.05  # mean |log-prob of trainer − of sampler|; float32 on one machine gives about 1e-6
LOGPROB_GAP_JUMP = 10.0  # times the median of the updates before
LOGPROB_GAP_NOTED = 1e-3  # a jump that stays below this harms nothing
HISTORY = 20  # updates that a jump is measured against, at most
MIN_HISTORY = 5
KL = 1.0  # nats a token
STARVED_SHARE = 0.02
TRUNCATED_FRACTION = 0.5
STALE_FRACTION = 0.5
SANDBOX_FAILURE_FRACTION = 0.05


class Alarms:
    """Looks at metrics as they are recorded and says what is wrong with them, once for as long as it stays wrong."""

    def __init__(self) -> None:
        self._raised: dict[str, set[str]] = {}  # scope → metrics in trouble when last seen
        self._gaps: dict[str, deque[float]] = {}  # scope → log-prob gaps of the last updates
        self._skipped: dict[str, float] = {}  # scope → skipped_steps at the last look

    def check(self, scope: str, values: Mapping[str, float]) -> list[str]:
        """Sentences on what is wrong with the metrics of a scope and was not before; [] if nothing is."""
        troubles, before = dict(self._troubles(scope, values)), self._raised.get(scope, set())
        self._raised[scope] = set(troubles) | {metric for metric in before if metric not in values}
        return [text for metric, text in troubles.items() if metric not in before]

    def _troubles(self, scope: str, values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        """(metric, sentence) of each."""
        kind, _, name = scope.partition("/")
        if kind == "policy":
            yield from self._policy(scope, name, values)
        if kind == "agent":
            if values.get("share_of_expansions", 1.0) < STARVED_SHARE:
                share = 100 * values["share_of_expansions"]
                yield "share_of_expansions", f"agent {name}: starved, chosen for only {share:.1f}% of expansions"
            if values.get("truncated_fraction", 0.0) > TRUNCATED_FRACTION:
                yield (
                    "truncated_fraction",
                    f"agent {name}: {100 * values['truncated_fraction']:.0f}% of answers end at sampling.max_tokens; "
                    "raise it, or penalise length with training.reward.overlong_buffer",
                )
        if kind == "run":
            if values.get("trees_kept_fraction", 1.0) == 0.0:
                yield "trees_kept_fraction", "every tree of the round was filtered out: all its rewards were equal"
            if values.get("sandbox_failure_fraction", 0.0) > SANDBOX_FAILURE_FRACTION:
                yield (
                    "sandbox_failure_fraction",
                    f"the sandbox itself failed on {100 * values['sandbox_failure_fraction']:.1f}% of programs; "
                    "see `mars2 doctor`, or lower sandbox.workers",
                )

    def _policy(self, scope: str, name: str, values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        gap = values.get("logprob_gap")
        if gap is not None:
            before = self._gaps.setdefault(scope, deque(maxlen=HISTORY))
            usual = median(before) if len(before) >= MIN_HISTORY else None
            if gap > LOGPROB_GAP:
                yield (
                    "logprob_gap",
                    f"policy {name}: sampler and trainer disagree on log-probs by {gap:.3g} on average; are the "
                    "sampler's weights the trainer's?",
                )
            elif usual is not None and gap > max(LOGPROB_GAP_JUMP * usual, LOGPROB_GAP_NOTED):
                yield (
                    "logprob_gap",
                    f"policy {name}: the log-prob gap between sampler and trainer jumped from {usual:.2g} to "
                    f"{gap:.2g}; did a weight update get lost?",
                )
            before.append(gap)
        if values.get("kl", 0.0) > KL:
            yield (
                "kl",
                f"policy {name}: KL to the reference ran away, it is {values['kl']:.3g}; lower learning_rate or raise "
                "kl_beta",
            )
        skipped = values.get("skipped_steps", 0.0)
        if skipped > self._skipped.get(scope, 0.0):
            yield "skipped_steps", f"policy {name}: an optimizer step was not finite and was skipped"
        self._skipped[scope] = skipped
        stale, trained = values.get("num_stale_dropped", 0.0), values.get("num_samples", 0.0)
        if stale > STALE_FRACTION * (stale + trained):
            yield (
                "num_stale_dropped",
                f"policy {name}: {stale:.0f} samples were too old to learn from, {trained:.0f} were not; raise "
                "max_staleness, or grow fewer trees at once",
            )
