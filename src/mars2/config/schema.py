"""Every configuration key, its type, its default and what it means. Unknown keys are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mars2.config.paradigms import Paradigm, expand_paradigm


def _can_be_reached(url: str) -> str:
    """Refuses an address that a socket would refuse: its port, or its host."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError("host or port is missing")
        parts.hostname.encode("idna")
    except ValueError as error:
        message = "it is no address ({why}); write http://HOST:PORT/v1"
        raise PydanticCustomError("address", message, {"why": str(error)}) from None
    return url


PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
HttpUrl = Annotated[  # no user, password or query: a run keeps its settings
    str, Field(pattern=r"^https?://[^\s@?#]+$"), AfterValidator(_can_be_reached)
]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Section(BaseModel):
    """A group of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ── problems ────────────────────────────────────────────────────────────────────────────────────────────────────────


class LabProblemsConfig(Section):
    """The generated task family for CPU-scale science (`mars2.lab`)."""

    kind: Literal["lab"]
    num_train: PositiveInt = 4000
    num_test: PositiveInt = 200
    seed: NonNegativeInt = 0


class ReferenceProblemsConfig(Section):
    """Problems named by a reference: a file, a folder, `humaneval`, `mbpp:FILE`."""

    kind: Literal["reference"]
    train: str | None = None
    test: str


ProblemsConfig = Annotated[LabProblemsConfig | ReferenceProblemsConfig, Field(discriminator="kind")]


# ── policies and agents ─────────────────────────────────────────────────────────────────────────────────────────────


class LoraConfig(Section):
    """Low-rank adapters (arXiv:2106.09685) are trained instead of all weights. Without dropout: log π must not vary."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0  # the adapter's output is scaled by alpha / rank
    target_modules: Literal["all-linear"] | list[str] = "all-linear"  # every linear layer but the head, or names


class PriceConfig(Section):
    """What tokens cost, per million, in any one currency."""

    input_per_million: NonNegativeFloat
    output_per_million: NonNegativeFloat


class PolicySettings(Section):
    """What every kind of policy has."""

    concurrency: PositiveInt | None = None  # requests under way at once; None: as many as trees ask for
    price: PriceConfig | None = None


class TransformersPolicyConfig(PolicySettings):
    """Weights run in this process by `transformers`, on the CPU or one GPU."""

    backend: Literal["transformers"]
    model: str  # a folder, a Hugging Face id, or lab:NAME
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of generation
    max_batch: PositiveInt = 64
    lora: LoraConfig | None = None  # None: training changes all weights


class ScriptedPolicyConfig(PolicySettings):
    """Answers read from a YAML or JSON file (pattern → answers); for tests and documentation."""

    backend: Literal["scripted"]
    script: Path


class VllmPolicyConfig(PolicySettings):
    """Weights run by a vLLM engine that this run starts (extra `vllm`)."""

    backend: Literal["vllm"]
    model: str  # a folder, a Hugging Face id, or lab:NAME
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: PositiveInt | None = None  # prompt + output tokens; None: what the model allows
    max_num_seqs: PositiveInt = 64
    tensor_parallel_size: PositiveInt = 1
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    sleeps: bool = False  # gives its memory back while its policy learns: for one GPU that does both in turn
    engine: dict[str, Any] = {}  # further arguments of vllm.AsyncEngineArgs
    lora: LoraConfig | None = None  # None: training changes all weights


class VllmServerPolicyConfig(PolicySettings):
    """A model behind an external `vllm serve`."""

    backend: Literal["vllm-server"]
    model: str  # the name it is served under
    base_url: HttpUrl
    folder: str | None = None  # the model's folder, for training; None: `model` is that folder
    lora: LoraConfig | None = None  # None: training changes all weights
    api_key_env: EnvironmentName = "VLLM_API_KEY"
    concurrency: PositiveInt | None = 64  # requests under way at once
    timeout_s: PositiveFloat = 600.0
    max_retries: NonNegativeInt = 5


class OpenAIPolicyConfig(PolicySettings):
    """A model behind any OpenAI-compatible endpoint; the key comes from the environment only."""

    backend: Literal["openai"]
    model: str
    base_url: HttpUrl | None = None  # such as http://127.0.0.1:8000/v1; None: OpenAI's own
    api_key_env: EnvironmentName = "OPENAI_API_KEY"
    concurrency: PositiveInt | None = 16  # requests under way at once
    timeout_s: PositiveFloat = 600.0
    max_retries: NonNegativeInt = 5
    omit: list[Literal["temperature", "top_p", "seed"]] = []  # fields that this model refuses
    extra_body: dict[str, Any] = {}  # further fields of every request


PolicyConfig = Annotated[
    TransformersPolicyConfig | ScriptedPolicyConfig | VllmPolicyConfig | VllmServerPolicyConfig | OpenAIPolicyConfig,
    Field(discriminator="backend"),
]


class SamplingConfig(Section):
    """How completions are drawn."""

    temperature: NonNegativeFloat = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: NonNegativeInt = 0
    max_tokens: PositiveInt = 1024


class AgentConfig(Section):
    """One member of the team: a policy, a role prompt, sampling settings."""

    policy: str
    role: str = ""  # the name of a shipped role or a path to a text file; in the lab: solver or checker
    sampling: SamplingConfig | None = None  # None: the run's `sampling`


# ── prompting ───────────────────────────────────────────────────────────────────────────────────────────────────────


class ChatPromptingConfig(Section):
    """Prompts for instruction and reasoning models."""

    style: Literal["chat"]
    feedback_tests: NonNegativeInt = 2
    feedback_chars: PositiveInt = 2000


class LabPromptingConfig(Section):
    """Terse prompts for the lab's tiny policies."""

    style: Literal["lab"]


PromptingConfig = Annotated[ChatPromptingConfig | LabPromptingConfig, Field(discriminator="style")]


# ── search ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class AbMctsConfig(Section):
    """Multi-agent AB-MCTS-A (arXiv:2503.04412, 2602.07848)."""

    strategy: Literal["ab_mcts"]
    posterior: Literal["beta", "gaussian"] = "beta"
    order: Literal["node-then-model", "stack"] = "node-then-model"
    agent_choice: Literal["thompson", "ucb1"] = "thompson"
    max_pending_per_node: PositiveInt | None = None


class BestOfNConfig(Section):
    """Independent first attempts, agents in turn."""

    strategy: Literal["best_of_n"]


class RefineBestConfig(Section):
    """Always refine the best program so far."""

    strategy: Literal["refine_best"]
    num_first_attempts: PositiveInt = 1


class SequentialConfig(Section):
    """One chain: always refine the newest program."""

    strategy: Literal["sequential"]


class MctsConfig(Section):
    """UCT with a fixed number of children per agent."""

    strategy: Literal["mcts"]
    samples_per_agent: PositiveInt = 2
    exploration: NonNegativeFloat = 1.4142135623730951


class DepthGuidance(Section):
    """What `depth_guided` and `t_plus` share."""

    gamma: Annotated[float, Field(gt=0, le=1)] = 0.98
    slope: NonNegativeFloat = 0.1
    floor: Annotated[float, Field(gt=0, le=1)] = 0.5
    count_scope: Literal["depth", "node"] = "depth"
    posterior: Literal["beta", "gaussian"] = "beta"
    order: Literal["node-then-model", "stack"] = "node-then-model"
    agent_choice: Literal["thompson", "ucb1"] = "thompson"
    max_pending_per_node: PositiveInt | None = None


class DepthGuidedConfig(DepthGuidance):
    """AB-MCTS-A that widens less the deeper it is (MARS2-T+, part 2)."""

    strategy: Literal["depth_guided"]


class TPlusConfig(DepthGuidance):
    """The search of MARS2-T+ as recommended here: depth-guided, refining its best programs from the start."""

    strategy: Literal["t_plus"]
    slope: NonNegativeFloat = 0.02
    count_scope: Literal["depth", "node"] = "node"
    own_score_weight: NonNegativeFloat = 100.0
    back_up: Literal["best", "score"] = "best"
    go_on: Literal["best-child", "arm"] = "best-child"


class TreeQuestConfig(Section):
    """An algorithm of the TreeQuest library (extra `treequest`), for comparison."""

    strategy: Literal["treequest"]
    algorithm: Literal[
        "ABMCTSA",
        "ABMCTSM",
        "StandardMCTS",
        "TreeOfThoughtsBFSAlgo",
        "BestFirstSearchAlgo",
        "MultiArmedBanditUCBAlgo",
    ] = "ABMCTSA"
    options: dict[str, Any] = {}  # of the algorithm, for example dist_type: beta


SearchConfig = Annotated[
    AbMctsConfig
    | DepthGuidedConfig
    | TPlusConfig
    | BestOfNConfig
    | RefineBestConfig
    | SequentialConfig
    | MctsConfig
    | TreeQuestConfig,
    Field(discriminator="strategy"),
]


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


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── sandbox ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class LimitsConfig(Section):
    """What one test may use; replaces the problems' own limits."""

    cpu_s: PositiveFloat = 6.0
    wall_s: PositiveFloat | None = None  # None: 2·cpu_s + 1
    memory_mib: PositiveInt = 512
    stdout_kib: PositiveInt = 16 * 1024
    stderr_kib: PositiveInt = 64
    source_kib: PositiveInt = 256


class ZygoteSandboxConfig(Section):
    """The judge: jails made by this process itself, on Linux, with nothing to install."""

    backend: Literal["zygote"] = "zygote"
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    allow_unsafe: bool = False  # judge even where only weak isolation can be had


class BubblewrapSandboxConfig(Section):
    """The judge in jails made by the program `bwrap`."""

    backend: Literal["bubblewrap"]
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    program: str = "bwrap"


class DockerSandboxConfig(Section):
    """The judge in containers, one for each worker; also where there is no Linux."""

    backend: Literal["docker"]
    workers: PositiveInt = 2
    limits: LimitsConfig | None = None
    image: str = "python:3.12-slim"  # any image with Python 3.11 or newer as python3; pull it first
    runtime: str | None = None  # None: the engine's default; runsc: gVisor
    memory_mib: PositiveInt = 2048  # of one container
    pids: PositiveInt = 256  # processes and threads of one container
    program: str = "docker"


class SandboxFusionConfig(Section):
    """The judge on a SandboxFusion service, over HTTP."""

    backend: Literal["sandboxfusion"]
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]  # such as http://localhost:8080
    workers: PositiveInt = 8  # requests at once
    limits: LimitsConfig | None = None
    timeout_s: PositiveFloat = 60.0  # beyond a test's own limits, for a service with a queue


SandboxConfig = Annotated[
    ZygoteSandboxConfig | BubblewrapSandboxConfig | DockerSandboxConfig | SandboxFusionConfig,
    Field(discriminator="backend"),
]


# ── training ────────────────────────────────────────────────────────────────────────────────────────────────────────


class RewardConfig(Section):
    """What a node earns, before shaping."""

    kind: Literal["binary", "fraction"] = "binary"
    overlong_buffer: NonNegativeInt = 0  # tokens before max_tokens in which the penalty grows (DAPO); 0: no penalty
    overlong_factor: NonNegativeFloat = 1.0


class ShapingConfig(Section):
    """Tree-consistent shaping, arXiv:2604.14564."""

    gamma: NonNegativeFloat = 0.5
    sibling_weight: Fraction = 0.5


class ObjectiveConfig(Section):
    """The policy-gradient objective."""

    ratio: Literal["sequence", "token"] = "sequence"  # GSPO | GRPO
    clip_low: PositiveFloat = 3e-4
    clip_high: PositiveFloat = 4e-4
    dual_clip: Annotated[float, Field(gt=1)] | None = None
    aggregation: Literal["sequence-mean", "token-mean", "constant"] = "sequence-mean"
    tis_cap: PositiveFloat | None = 2.0
    tis_level: Literal["token", "sequence"] = "token"
    tis_mode: Literal["truncate", "mask"] = "truncate"
    kl_beta: NonNegativeFloat = 1e-3
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    entropy_bonus: NonNegativeFloat = 0.0


class OptimizerConfig(Section):
    """AdamW and how a batch is cut up."""

    learning_rate: PositiveFloat = 1e-6  # the peak
    lr_schedule: Literal["constant", "linear", "cosine"] = "constant"  # linear and cosine end at 0 with the last step
    warmup_steps: NonNegativeInt = 0  # optimizer steps in which the learning rate rises to its peak
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: PositiveFloat = 1.0
    mini_batches: PositiveInt = 1  # optimizer steps per batch
    micro_batch_tokens: PositiveInt = 16384
    share_prompts: bool = True  # compute a prompt that several samples have in common once; changes only the time
    gradient_checkpointing: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of matrix products; weights and AdamW stay float32
    max_skipped_in_a_row: PositiveInt = 5  # so many non-finite updates in a row end the run


class TrainingConfig(Section):
    """MARS2 training."""

    steps: PositiveInt  # stop when the policy that is furthest ahead has made this many updates
    schedule: Literal["rounds", "async"] = "rounds"  # rounds: generate, then update; async: both at once
    trees_per_round: PositiveInt = 32
    batch_samples: PositiveInt = 128  # samples in a policy's buffer that make it update
    max_staleness: NonNegativeInt = 1  # samples older than this many versions are dropped; 0: on-policy, in rounds
    dynamic_filtering: bool = True  # drop trees whose rewards are all equal
    advantage: Literal["tree_group", "no_std", "leave_one_out", "per_agent"] = "tree_group"
    reward: RewardConfig = RewardConfig()
    shaping: ShapingConfig = ShapingConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    max_rounds_without_samples: PositiveInt = 10  # in a row; then the run is saved and stops
    evaluate_every: NonNegativeInt = 0  # rounds (in async: steps) between validations, and the best is kept; 0: none
    evaluate_problems: PositiveInt = 32  # taken off the end of the training split for validation
    evaluate_samples: PositiveInt = 2  # first attempts per agent and problem in a validation
    checkpoint_every: PositiveInt = 5  # rounds (in async: steps) between checkpoints
    keep_checkpoints: PositiveInt = 2  # the newest ones; the best is kept beside them


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
