"""One run: all sections together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from mars2.config.growing import BudgetConfig, GuidanceConfig, RolloutConfig, SelectionConfig, StoppingConfig
from mars2.config.paradigms import Paradigm, expand_paradigm
from mars2.config.policies import AgentConfig, PolicyConfig, trainable_kinds
from mars2.config.problems import ProblemsConfig, ReferenceProblemsConfig
from mars2.config.prompting import ChatPromptingConfig, PromptingConfig
from mars2.config.sandbox import SandboxConfig, ZygoteSandboxConfig
from mars2.config.search import AbMctsConfig, SearchConfig
from mars2.config.training import TrainingConfig
from mars2.config.values import NonNegativeInt, PositiveInt, Section, matches, resumable
from mars2.core.completion import SamplingOptions
from mars2.core.errors import OptionError

RunName = Annotated[str, matches(r"[A-Za-z0-9][A-Za-z0-9._-]*", "use letters, digits, . _ and -")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig(Section):
    """Evaluation before and after training, and by `mars2 evaluate`."""

    num_problems: PositiveInt | None = None  # a random part of the test split, fixed by the seed; None: all of it
    strategies: tuple[str, ...] = ()  # for `mars2 evaluate`, such as treequest:ABMCTSA; none: the run's `search`
    seeds: PositiveInt = 1  # for `mars2 evaluate`: trees per problem and strategy
    samples_per_problem: PositiveInt = 4  # first attempts per agent, for Pass@1
    per_agent_trees: bool = True  # also a tree grown by each agent alone
    before: bool = True
    after: bool = True
    search: SearchConfig | None = None  # None: the run's `search`


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Section):
    """One run."""

    name: RunName = resumable("evaluate")
    seed: NonNegativeInt = 0
    # torch threads; 0: as many as there are cores
    threads: NonNegativeInt = resumable("solve", "evaluate", "train", default=0)
    paradigm: Paradigm | None = None  # decides agents and search (`config.paradigms`), and is used up; None: as written
    roles: tuple[str, ...] = ()  # of paradigm homo, one agent each; (): those of `config.paradigms`
    problems: ProblemsConfig = resumable("evaluate")
    policies: Annotated[dict[str, PolicyConfig], MinLen(1)]
    agents: Annotated[dict[str, AgentConfig], MinLen(1)]
    sampling: SamplingOptions = SamplingOptions()
    prompting: PromptingConfig = ChatPromptingConfig()
    search: SearchConfig = resumable("evaluate", default=AbMctsConfig())
    rollout: RolloutConfig = resumable("solve", default=RolloutConfig())
    budget: BudgetConfig = resumable("solve", default=BudgetConfig())
    stopping: StoppingConfig = resumable("solve", default=StoppingConfig())
    selection: SelectionConfig = resumable("solve", default=SelectionConfig())
    guidance: GuidanceConfig | None = None
    sandbox: SandboxConfig = ZygoteSandboxConfig()
    training: TrainingConfig | None = resumable("evaluate", default=None)
    evaluation: EvaluationConfig = resumable("evaluate", "train", default=EvaluationConfig())
    # where training metrics also go; TensorBoard always gets them
    tracking: tuple[Literal["wandb", "trackio"], ...] = resumable("train", default=())

    @staticmethod
    def spelled_out(data: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration as written, with its paradigm used up.

        Raises:
            ConfigError: the paradigm does not suit the policies and agents.
        """
        return expand_paradigm(data)

    def sampling_of(self, agent: str) -> SamplingOptions:
        return self.agents[agent].sampling or self.sampling

    def _check(self) -> None:
        self._check_team()
        if self.training is not None:
            self._check_training(self.training)

    def _check_team(self) -> None:
        if self.roles and self.paradigm is None:
            raise OptionError(
                "roles",
                f"has no meaning without paradigm, got {', '.join(self.roles)}; set paradigm: homo, or give each agent "
                "its role",
            )
        for name, agent in self.agents.items():
            if agent.policy not in self.policies:
                raise OptionError(
                    f"agents.{name}.policy",
                    f"names no policy, got {agent.policy!r}; use one of {', '.join(self.policies)}",
                )
            if self.budget.cost is not None and self.policies[agent.policy].price is None:
                raise OptionError(
                    "budget.cost",
                    f"needs a price for agent {name!r}, got none; set policies.{agent.policy}.price, for example "
                    "{input_per_million: 0.1, output_per_million: 0.4}",
                )
        if self.paradigm is not None:
            raise OptionError(
                "paradigm", f"must be spelled out in Python, got {self.paradigm!r}; use `expand_paradigm`"
            )

    def _check_training(self, training: TrainingConfig) -> None:
        for name, policy in self.policies.items():
            if not policy.trainable:
                raise OptionError(
                    f"policies.{name}.backend",
                    f"cannot be trained, got {policy.backend!r}; use {trainable_kinds()}, or remove the training "
                    "section",
                )
            if policy.needs_rounds and training.schedule == "async":
                raise OptionError(
                    f"policies.{name}.sleeps",
                    "is for training.schedule rounds: with async the engine generates while the policy learns; remove "
                    "one of the two",
                )
        self._check_training_sampling()
        reward, shortest = training.reward, min(self.sampling_of(a).max_tokens for a in self.agents)
        if reward.overlong_buffer >= shortest:
            raise OptionError(
                "training.reward.overlong_buffer",
                f"must be < sampling.max_tokens ({shortest}), got {reward.overlong_buffer}; use 0 for no penalty",
            )
        if training.max_staleness and training.objective.tis_cap is None:
            raise OptionError(
                "training.objective.tis_cap",
                f"is needed where stale samples are trained on, got null with max_staleness {training.max_staleness}; "
                "set a cap such as 2, or training.max_staleness: 0",
            )
        optimizer, updates = training.optimizer, training.steps * training.optimizer.mini_batches
        if optimizer.lr_schedule != "constant" and optimizer.warmup_steps >= updates:
            raise OptionError(
                "training.optimizer.warmup_steps",
                f"must be < steps · mini_batches = {updates} with lr_schedule {optimizer.lr_schedule}, got "
                f"{optimizer.warmup_steps}; use 0 for no warm-up",
            )
        if isinstance(self.problems, ReferenceProblemsConfig) and self.problems.train is None:
            raise OptionError(
                "problems.train", "is needed for training, got nothing; name a file, a folder or mbpp:FILE"
            )

    def _check_training_sampling(self) -> None:
        """The importance ratio must be between distributions of one kind."""
        temperatures: dict[str, float] = {}
        for name, agent in self.agents.items():
            sampling, policy = self.sampling_of(name), self.policies[agent.policy]
            if sampling.top_p != 1 or sampling.top_k != 0 or sampling.temperature == 0:
                raise OptionError(
                    "sampling",
                    f"of agent {name!r} must have top_p 1, top_k 0 and temperature > 0 in training, got top_p "
                    f"{sampling.top_p}, top_k {sampling.top_k}, temperature {sampling.temperature}; anything else "
                    "biases the importance ratio between sampler and trainer",
                )
            only = policy.only_temperature
            if only is not None and sampling.temperature != only:
                raise OptionError(
                    "sampling.temperature",
                    f"of agent {name!r} must be {only:g} in training with backend {policy.backend}, got "
                    f"{sampling.temperature}; the server's log-probabilities are those of temperature {only:g}",
                )
            if temperatures.setdefault(agent.policy, sampling.temperature) != sampling.temperature:
                raise OptionError(
                    "sampling.temperature",
                    f"of agent {name!r} is {sampling.temperature}, but another agent of policy {agent.policy!r} has "
                    f"{temperatures[agent.policy]}; agents that share a policy in training must share the temperature",
                )
