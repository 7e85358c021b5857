"""How trees grow, what they may spend, when they stop, and which program is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mars2.config.values import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    resumable,
)
from mars2.core.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig(Section):
    """What is done about calls that fail."""

    # failed calls per expansion before it is cancelled
    max_retries: NonNegativeInt = resumable("train", default=2)
    # before the first retry; doubles with each, to a minute at most, half of it at random
    retry_backoff_s: NonNegativeFloat = resumable("train", default=0.5)
    # a call that takes longer has failed; the wait for a slot is not counted
    call_timeout_s: PositiveFloat | None = resumable("train", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutConfig(RetryConfig):
    """How many trees and expansions are under way at once, and what is done about calls that fail."""

    max_nodes: PositiveInt = resumable("evaluate", default=8)  # nodes per tree: the budget in generations
    # trees advance in waves, in a fixed order: same seed, same batches. False: nobody waits
    lockstep: bool = resumable("evaluate", default=True)
    trees_in_flight: PositiveInt = resumable("evaluate", "train", default=32)  # trees open at once
    expansions_in_flight: PositiveInt = 1  # per tree, chosen and not yet told to the search
    order: Literal["expansion", "arrival"] | None = None  # without lockstep, how results are told; None: expansion

    def _check(self) -> None:
        if self.lockstep and self.order is not None:
            raise OptionError(
                "order", f"is only for rollout.lockstep=false, got {self.order!r} with lockstep; leave one out"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig(Section):
    """What one tree may spend beside `rollout.max_nodes`; None: no limit. Never overshot: calls are reserved for."""

    tokens: PositiveInt | None = None  # prompt and output
    seconds: PositiveFloat | None = None  # of growing; the time between an interruption and its resume is left out
    cost: PositiveFloat | None = None  # by the policies' prices


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingConfig(Section):
    """When a tree stops before its budget is spent; None: that rule is off.

    Programs that are equal up to layout, comments and docstrings are one. A problem without public tests is never
    solved and has no consensus.
    """

    solved: PositiveInt | None = None  # so many distinct programs pass all public tests
    consensus_margin: PositiveInt | None = None  # one of these programs was written so many times more than any other
    patience: PositiveInt | None = None  # nodes since the best fraction of public tests passed rose


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionConfig(Section):
    """Which program is the answer (MARS2-T+, part 4), among those that pass the most public tests."""

    rule: Literal["public", "behaviour"] = "public"  # public: the earliest; behaviour: from the largest group alike
    num_inputs: PositiveInt = 16  # generated inputs on which programs are compared
    cpu_s: PositiveFloat = 2.0  # for each of them; never more than the problem allows


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceConfig(Section):
    """A reward model that guides search and selection at test time (MARS2-T+, part 3). Training rollouts ignore it."""

    reward_model: Path  # a folder that `mars2 train-reward` wrote
    alpha: Fraction = 0.0  # its part of the search score; the rest is the fraction of public tests passed
    selection: bool = True  # weigh the programs among which the answer is chosen
    device: str = "auto"
