"""How trees grow, what they may spend, when they stop, and which program is the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from mars2.config.values import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Section


class RolloutConfig(Section):
    """How many trees and expansions are under way at once, and what is done about calls that fail."""

    max_nodes: PositiveInt = 8  # nodes per tree: the budget in generations
    lockstep: bool = True  # trees advance in waves, in a fixed order: same seed, same batches. False: nobody waits
    trees_in_flight: PositiveInt = 32  # trees open at once
    expansions_in_flight: PositiveInt = 1  # per tree, chosen and not yet told to the search
    order: Literal["expansion", "arrival"] | None = None  # without lockstep, how results are told; None: expansion
    max_retries: NonNegativeInt = 2  # failed calls per expansion before it is cancelled
    retry_backoff_s: NonNegativeFloat = 0.5  # before the first retry; doubles with each, half of it at random
    call_timeout_s: PositiveFloat | None = None  # a call that takes longer has failed

    @model_validator(mode="after")
    def _order_is_read(self) -> Self:
        if self.lockstep and self.order is not None:
            raise ValueError(
                f"rollout.order is only for rollout.lockstep=false, got {self.order!r} with lockstep; leave one out"
            )
        return self


class BudgetConfig(Section):
    """What one tree may spend beside `rollout.max_nodes`; None: no limit. Never overshot: calls are reserved for."""

    tokens: PositiveInt | None = None  # prompt and output
    seconds: PositiveFloat | None = None
    cost: PositiveFloat | None = None  # by the policies' prices


class StoppingConfig(Section):
    """When a tree stops before its budget is spent; None: that rule is off."""

    solved: PositiveInt | None = None  # so many distinct programs pass all public tests
    consensus_margin: PositiveInt | None = None  # one of these programs was written so many times more than any other
    patience: PositiveInt | None = None  # nodes since the best fraction of public tests passed rose


class SelectionConfig(Section):
    """Which program is the answer (MARS2-T+, part 4), among those that pass the most public tests."""

    rule: Literal["public", "behaviour"] = "public"  # public: the earliest; behaviour: from the largest group alike
    num_inputs: PositiveInt = 16  # generated inputs on which programs are compared
    cpu_s: PositiveFloat = 2.0  # for each of them; never more than the problem allows


class GuidanceConfig(Section):
    """A reward model that guides search and selection at test time (MARS2-T+, part 3). Training rollouts ignore it."""

    reward_model: Path  # a folder that `mars2 train-reward` wrote
    alpha: Fraction = 0.0  # its part of the search score; the rest is the fraction of public tests passed
    selection: bool = True  # weigh the programs among which the answer is chosen
    device: str = "auto"
