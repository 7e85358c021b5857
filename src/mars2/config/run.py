"""One run: all sections together."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mars2.config.growing import BudgetConfig, GuidanceConfig, RolloutConfig, SelectionConfig, StoppingConfig
from mars2.config.paradigms import Paradigm, expand_paradigm
from mars2.config.policies import AgentConfig, PolicyConfig, SamplingConfig
from mars2.config.problems import ProblemsConfig, ReferenceProblemsConfig
from mars2.config.prompting import ChatPromptingConfig, PromptingConfig
from mars2.config.sandbox import SandboxConfig, ZygoteSandboxConfig
from mars2.config.search import AbMctsConfig, SearchConfig
from mars2.config.training import TrainingConfig
from mars2.config.values import NonNegativeInt, PositiveInt, Section


class EvaluationConfig(Section):
    """Evaluation before and after training, and by `mars2 evaluate`."""

    num_problems: PositiveInt | None = None  # a random part of the test split, fixed by the seed; None: all of it
    strategies: list[str] = []  # for `mars2 evaluate`, such as treequest:ABMCTSA; none: the run's `search`
    seeds: PositiveInt = 1  # for `mars2 evaluate`: trees per problem and strategy
    samples_per_problem: PositiveInt = 4  # first attempts per agent, for Pass@1
    per_agent_trees: bool = True  # also a tree grown by each agent alone
    before: bool = True
    after: bool = True
    search: SearchConfig | None = None  # None: the run's `search`


class RunConfig(Section):
    """One run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: NonNegativeInt = 0
    threads: NonNegativeInt = 0  # torch threads; 0: as many as there are cores
    paradigm: Paradigm | None = None  # decides agents and search (`config.paradigms`), and is used up; None: as written
    roles: list[str] = []  # of paradigm homo, one agent each; []: solver and checker (lab), generalist and debugger
    problems: ProblemsConfig
    policies: Annotated[dict[str, PolicyConfig], Field(min_length=1)]
    agents: Annotated[dict[str, AgentConfig], Field(min_length=1)]
    sampling: SamplingConfig = SamplingConfig()
    prompting: PromptingConfig = ChatPromptingConfig(style="chat")
    search: SearchConfig = AbMctsConfig(strategy="ab_mcts")
    rollout: RolloutConfig = RolloutConfig()
    budget: BudgetConfig = BudgetConfig()
    stopping: StoppingConfig = StoppingConfig()
    selection: SelectionConfig = SelectionConfig()
    guidance: GuidanceConfig | None = None
    sandbox: SandboxConfig = ZygoteSandboxConfig()
    training: TrainingConfig | None = None
    evaluation: EvaluationConfig = EvaluationConfig()
    tracking: list[Literal["wandb", "trackio"]] = []  # where training metrics also go; TensorBoard always gets them

    @field_validator("sandbox", mode="before")
    @classmethod
    def _default_sandbox(cls, given: Any) -> Any:
        return {"backend": "zygote"} | given if isinstance(given, dict) else given

    def sampling_of(self, agent: str) -> SamplingConfig:
        return self.agents[agent].sampling or self.sampling

    @model_validator(mode="before")
    @classmethod
    def _paradigm(cls, data: Any) -> Any:
        return expand_paradigm(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _roles_are_used(self) -> Self:
        if self.roles and self.paradigm is None:
            raise ValueError(
                f"roles has no meaning without paradigm, got {', '.join(self.roles)}; set paradigm: homo, or give "
                "each agent its role"
            )
        return self

    @model_validator(mode="after")
    def _agents_name_policies(self) -> Self:
        for name, agent in self.agents.items():
            if agent.policy not in self.policies:
                raise ValueError(
                    f"agents.{name}.policy names no policy, got {agent.policy!r}; use one of {', '.join(self.policies)}"
                )
        return self

    @model_validator(mode="after")
    def _priced(self) -> Self:
        for name, agent in self.agents.items():
            if self.budget.cost is not None and self.policies[agent.policy].price is None:
                raise ValueError(
                    f"budget.cost needs a price for agent {name!r}, got none; set policies.{agent.policy}.price, "
                    "for example {input_per_million: 0.1, output_per_million: 0.4}"
                )
        return self

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.training is None:
            return self
        for name, policy in self.policies.items():
            if policy.backend not in ("transformers", "vllm", "vllm-server"):
                raise ValueError(
                    f"policies.{name}.backend cannot be trained, got {policy.backend!r}; use transformers, vllm or "
                    "vllm-server, or remove the training section"
                )
            if policy.backend == "vllm" and policy.sleeps and self.training.schedule == "async":
                raise ValueError(
                    f"policies.{name}.sleeps is for training.schedule rounds: with async the engine generates while "
                    "the policy learns; remove one of the two"
                )
        temperatures: dict[str, float] = {}
        for name, agent in self.agents.items():
            sampling = self.sampling_of(name)
            if sampling.top_p != 1 or sampling.top_k != 0 or sampling.temperature == 0:
                raise ValueError(
                    f"sampling of agent {name!r} must have top_p 1, top_k 0 and temperature > 0 in training, got top_p "
                    f"{sampling.top_p}, top_k {sampling.top_k}, temperature {sampling.temperature}; anything else "
                    "biases the importance ratio between sampler and trainer"
                )
            if self.policies[agent.policy].backend == "vllm-server" and sampling.temperature != 1:
                raise ValueError(
                    f"sampling.temperature of agent {name!r} must be 1 in training with backend vllm-server, got "
                    f"{sampling.temperature}; the server's log-probabilities are those of temperature 1"
                )
            if temperatures.setdefault(agent.policy, sampling.temperature) != sampling.temperature:
                raise ValueError(
                    f"sampling.temperature of agent {name!r} is {sampling.temperature}, but another agent of policy "
                    f"{agent.policy!r} has {temperatures[agent.policy]}; agents that share a policy in training must "
                    "share the temperature"
                )
        reward, shortest = self.training.reward, min(self.sampling_of(a).max_tokens for a in self.agents)
        if reward.overlong_buffer >= shortest:
            raise ValueError(
                f"training.reward.overlong_buffer must be < sampling.max_tokens ({shortest}), got "
                f"{reward.overlong_buffer}; use 0 for no penalty"
            )
        optimizer, updates = self.training.optimizer, self.training.steps * self.training.optimizer.mini_batches
        if optimizer.lr_schedule != "constant" and optimizer.warmup_steps >= updates:
            raise ValueError(
                f"training.optimizer.warmup_steps must be < steps · mini_batches = {updates} with lr_schedule "
                f"{optimizer.lr_schedule}, got {optimizer.warmup_steps}; use 0 for no warm-up"
            )
        if isinstance(self.problems, ReferenceProblemsConfig) and self.problems.train is None:
            raise ValueError("problems.train is needed for training, got nothing; name a file, a folder or mbpp:FILE")
        return self

    def as_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
