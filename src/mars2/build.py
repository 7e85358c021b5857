"""Configuration → objects. The only place that names concrete classes; heavy ones are imported when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, assert_never

from mars2.config.load import parse_config
from mars2.config.reward_model import RewardModelConfig
from mars2.config.schema import (
    AbMctsConfig,
    BestOfNConfig,
    BubblewrapSandboxConfig,
    ChatPromptingConfig,
    DepthGuidedConfig,
    DockerSandboxConfig,
    LabProblemsConfig,
    LabPromptingConfig,
    LoraConfig,
    MctsConfig,
    OpenAIPolicyConfig,
    PolicyConfig,
    ReferenceProblemsConfig,
    RefineBestConfig,
    RunConfig,
    SamplingConfig,
    SandboxFusionConfig,
    ScriptedPolicyConfig,
    SearchConfig,
    SequentialConfig,
    TPlusConfig,
    TrainingConfig,
    TransformersPolicyConfig,
    TreeQuestConfig,
    VllmPolicyConfig,
    VllmServerPolicyConfig,
    ZygoteSandboxConfig,
)
from mars2.config.strategies import parse_strategy
from mars2.core.completion import Sampling
from mars2.core.errors import ConfigError, ProblemError
from mars2.core.problem import Limits, Problem
from mars2.core.protocols import (
    AdvantageEstimator,
    Backend,
    Learner,
    Prompter,
    Sandbox,
    Search,
    Split,
    TrainableBackend,
)
from mars2.core.seeds import derive_seed
from mars2.credit import advantages
from mars2.prompting.chat import ChatPrompter
from mars2.prompting.roles import load_role
from mars2.runs.budget import Budget
from mars2.runs.checkpoints import Checkpoints
from mars2.runs.choose import Selection
from mars2.runs.compare import ChooseAnswer, Entrant
from mars2.runs.credit_tree import Credit
from mars2.runs.evaluate import Evaluator
from mars2.runs.grow_tree import Retries, Scoring, TreeGrower
from mars2.runs.guidance import Guide
from mars2.runs.recorder import Recorder, Tracker
from mars2.runs.results import TEAM
from mars2.runs.slots import Slots
from mars2.runs.stopping import StopRules
from mars2.runs.subset import seeded_subset
from mars2.runs.team import Agent, Price
from mars2.runs.train import Trainer
from mars2.runs.validate import Validation
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.sequential import Sequential
from mars2.search.t_plus import TPlus
from mars2.search.treequest_adapter import TreeQuestSearch

LAB_MODEL = "lab:"
"""Prefix of a model that the lab makes: ``lab:alpha``."""


@dataclass(slots=True)
class Team:
    """The agents at work and what they share. Close it when done."""

    agents: dict[str, Agent]
    backends: dict[str, Backend]
    prompter: Prompter
    sandbox: Sandbox
    slots: Slots  # of all backends, shared by whatever the team grows
    guide: Guide | None = None  # the reward model

    def sandbox_facts(self) -> dict[str, Any]:
        """What a run's log says of its judge: the isolation it gave, and how often it failed itself."""
        names = ("tier", "num_judged", "num_cache_hits", "num_worker_failures")
        return {name: getattr(self.sandbox, name) for name in names if hasattr(self.sandbox, name)}

    async def close(self) -> None:
        for backend in self.backends.values():
            await backend.close()
        await self.sandbox.close()


def build_team(config: RunConfig, models: Mapping[str, str]) -> Team:
    """Backends, agents, prompter and sandbox. `models`: policy → folder or Hugging Face id (see `resolve_models`)."""
    prepare_torch(config)
    roles = {name: build_role(config, agent.role) for name, agent in config.agents.items()}
    backends = {name: build_backend(name, policy, models) for name, policy in config.policies.items()}
    agents = {
        name: Agent(
            name,
            agent.policy,
            backends[agent.policy],
            roles[name],
            build_sampling(config, name),
            build_price(config.policies[agent.policy]),
        )
        for name, agent in config.agents.items()
    }
    slots = Slots({name: policy.concurrency for name, policy in config.policies.items()})
    return Team(agents, backends, build_prompter(config), build_sandbox(config), slots, build_guide(config))


def build_guide(config: RunConfig) -> Guide | None:
    """The configured reward model, loaded."""
    if config.guidance is None:
        return None
    from mars2.reward_model.model import load_reward_model

    model = load_reward_model(config.guidance.reward_model, device=torch_device(config.guidance.device))
    return Guide(model, trained_on=model.trained_on)


def build_price(policy: PolicyConfig) -> Price | None:
    return None if policy.price is None else Price(**policy.price.model_dump())


def resolve_models(
    config: RunConfig,
    *,
    trained: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, str]:
    """Where each `transformers` policy's weights are. Lab policies are warm-started if they are not cached yet.

    Args:
        trained: a checkpoint folder whose weights replace the configured ones.
        progress: called with the name of a lab policy and the fraction done.

    Raises:
        ConfigError: a folder that is not there.
    """
    wanted = {
        n: p.model for n, p in config.policies.items() if isinstance(p, TransformersPolicyConfig | VllmPolicyConfig)
    }
    if trained is not None:
        check_not_served(config, trained)
        return {name: str(trained / name / "model") for name in wanted}
    lab = {name: model.removeprefix(LAB_MODEL) for name, model in wanted.items() if model.startswith(LAB_MODEL)}
    for name, model in wanted.items():
        if name not in lab:
            check_model(f"policies.{name}.model", model)
    folders: dict[str, Path] = {}
    if lab:
        from mars2.lab.policies import POLICIES
        from mars2.lab.warm_start import ensure_policies

        for name, model in lab.items():
            if model not in POLICIES:
                raise ConfigError(
                    f"policies.{name}.model: no lab policy named {model!r}; use lab:{' or lab:'.join(POLICIES)}"
                )
        folders = ensure_policies(sorted(set(lab.values())), seed=config.seed, progress=progress)
    return {name: str(folders[lab[name]]) if name in lab else model for name, model in wanted.items()}


def check_not_served(config: RunConfig, trained: Path) -> None:
    """A server's weights are its own: trained ones are served by whoever started it."""
    for name, policy in config.policies.items():
        if isinstance(policy, VllmServerPolicyConfig):
            raise ConfigError(
                f"policies.{name}: trained weights cannot be put into a server that others may use; run "
                f"`vllm serve {trained / name / 'model'}` and name it with --config, or use backend: vllm"
            )


def check_model(field: str, model: str) -> None:
    """Refuse a folder that is not there or is no model, before anything heavy is loaded.

    Raises:
        ConfigError: names `field`.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigError(f"{field}: {model} has no config.json; give a Hugging Face model folder")
        return
    is_hub_id = model.count("/") == 1 and not model.startswith((".", "~", "/")) and not model.endswith("/")
    if not is_hub_id:
        raise ConfigError(
            f"{field}: no such model folder: {model}; give a folder with config.json and weights, "
            "or a Hugging Face id such as Qwen/Qwen2.5-Coder-0.5B-Instruct"
        )


def prepare_torch(config: RunConfig) -> None:
    """Threads that torch may use within one operation (0 leaves its own choice); no bars for loading weights."""
    if not any(isinstance(policy, TransformersPolicyConfig) for policy in config.policies.values()):
        return
    _quiet_torch(config.threads)


def _quiet_torch(threads: int) -> None:
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)


def build_backend(name: str, policy: PolicyConfig, models: Mapping[str, str]) -> Backend:
    match policy:
        case TransformersPolicyConfig():
            from mars2.backends.transformers_ import TransformersBackend

            return TransformersBackend(
                name, models[name], device=policy.device, dtype=policy.dtype, max_batch=policy.max_batch
            )
        case ScriptedPolicyConfig():
            from mars2.backends.scripted import ScriptedBackend, load_script

            return ScriptedBackend(name, load_script(policy.script))
        case VllmPolicyConfig():
            from mars2.backends.vllm_ import VllmBackend

            return VllmBackend(
                name, models[name], **policy.model_dump(exclude={"backend", "model", "lora", "price", "concurrency"})
            )
        case VllmServerPolicyConfig():
            from mars2.backends.vllm_server import VllmServerBackend

            return VllmServerBackend(name, **policy.model_dump(exclude={"backend", "lora", "price"}))
        case OpenAIPolicyConfig():
            from mars2.backends.openai_ import OpenAIBackend

            return OpenAIBackend(name, **policy.model_dump(exclude={"backend", "price"}))
        case _:
            assert_never(policy)


def build_sampling(config: RunConfig, agent: str) -> Sampling:
    settings: SamplingConfig = config.sampling_of(agent)
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_tokens=settings.max_tokens,
    )


def build_role(config: RunConfig, role: str) -> str:
    """The role prompt that `role` names: a shipped file or the user's; in the lab, a tag its policies were taught."""
    match config.prompting:
        case ChatPromptingConfig():
            return load_role(role)
        case LabPromptingConfig():
            from mars2.lab.tokenizer import ROLE_TAGS

            if role and role not in ROLE_TAGS:
                raise ConfigError(f"role: lab policies know the roles {', '.join(ROLE_TAGS)}, got {role!r}; use one")
            return role
        case _:
            assert_never(config.prompting)


def build_prompter(config: RunConfig) -> Prompter:
    match config.prompting:
        case ChatPromptingConfig() as chat:
            return ChatPrompter(feedback_tests=chat.feedback_tests, feedback_chars=chat.feedback_chars)
        case LabPromptingConfig():
            from mars2.lab.prompting import LabPrompter

            return LabPrompter()
        case _:
            assert_never(config.prompting)


def build_sandbox(config: RunConfig) -> Sandbox:
    from mars2.sandbox import ZygoteSandbox

    match config.sandbox:
        case ZygoteSandboxConfig() as zygote:
            return ZygoteSandbox(zygote.workers, allow_unsafe=zygote.allow_unsafe)
        case BubblewrapSandboxConfig() as bubblewrap:
            from mars2.sandbox.bubblewrap import Bubblewrap

            return ZygoteSandbox(bubblewrap.workers, launcher=Bubblewrap(bubblewrap.program))
        case DockerSandboxConfig() as docker:
            from mars2.sandbox.docker import Docker, DockerOptions

            options = DockerOptions(**docker.model_dump(exclude={"backend", "workers", "limits"}))
            return ZygoteSandbox(docker.workers, launcher=Docker(options))
        case SandboxFusionConfig() as service:
            from mars2.sandbox.sandboxfusion import SandboxFusion

            return SandboxFusion(service.url, service.workers, timeout_s=service.timeout_s)
        case _:
            assert_never(config.sandbox)


def build_search(search: SearchConfig, agents: Sequence[str]) -> Callable[[], Search]:
    """A factory of one search per tree."""
    options = search.model_dump(exclude={"strategy"})
    match search:
        case AbMctsConfig():
            return lambda: AbMcts(agents, **options)
        case TPlusConfig():
            return lambda: TPlus(agents, **options)
        case DepthGuidedConfig():
            return lambda: DepthGuided(agents, **options)
        case BestOfNConfig():
            return lambda: BestOfN(agents)
        case RefineBestConfig():
            return lambda: RefineBest(agents, **options)
        case SequentialConfig():
            return lambda: Sequential(agents)
        case MctsConfig():
            return lambda: Mcts(agents, **options)
        case TreeQuestConfig():
            TreeQuestSearch(agents, algorithm=search.algorithm, **search.options)  # a mistake is found now
            return lambda: TreeQuestSearch(agents, algorithm=search.algorithm, **search.options)
        case _:
            assert_never(search)


def build_grower(
    config: RunConfig,
    team: Team,
    *,
    agents: Sequence[str] | None = None,
    search: SearchConfig | None = None,
    max_nodes: int | None = None,
    judge_hidden: bool = True,
    guided: bool = True,
) -> TreeGrower:
    """Grows trees with all agents, or with some of them; `search` and `max_nodes` replace the configured ones.

    Args:
        guided: let the reward model have its part in search scores. Training rollouts see public tests only.
    """
    names = list(config.agents) if agents is None else list(agents)
    search = search or config.search
    max_nodes = max_nodes or config.rollout.max_nodes
    reward = config.training.reward if config.training else None
    return TreeGrower(
        agents={name: team.agents[name] for name in names},
        new_search=build_search(search, names),
        prompter=team.prompter,
        sandbox=team.sandbox,
        seed=config.seed,
        max_nodes=max_nodes,
        scoring=Scoring(
            reward=reward.kind if reward else "binary",
            overlong_buffer=reward.overlong_buffer if reward else 0,
            overlong_factor=reward.overlong_factor if reward else 1.0,
            judge_hidden=judge_hidden,
            alpha=config.guidance.alpha if config.guidance and guided else 0.0,
        ),
        # Independent first attempts have nothing to wait for.
        expansions_in_flight=max_nodes if search.strategy == "best_of_n" else config.rollout.expansions_in_flight,
        order=config.rollout.order or "expansion",
        retries=Retries(
            max_retries=config.rollout.max_retries,
            backoff_s=config.rollout.retry_backoff_s,
            timeout_s=config.rollout.call_timeout_s,
        ),
        budget=Budget(**config.budget.model_dump()),
        stop_rules=StopRules(**config.stopping.model_dump()),
        slots=team.slots,
        guide=team.guide if guided else None,
    )


def build_selection(config: RunConfig) -> Selection:
    weighted = config.guidance is not None and config.guidance.selection
    return Selection(**config.selection.model_dump(), weighted=weighted, seed=config.seed)


def prepare_reward_training(config: RewardModelConfig) -> tuple[str, str]:
    """Folder or id of the backbone, and the device to train on. Sets torch's threads; makes a lab policy if needed.

    Raises:
        ConfigError: there is no such backbone.
    """
    _quiet_torch(config.threads)
    if config.model.startswith(LAB_MODEL):
        from mars2.lab.warm_start import ensure_policies

        name = config.model.removeprefix(LAB_MODEL)
        return str(ensure_policies([name], seed=0)[name]), torch_device(config.device)
    check_model("model", config.model)
    return config.model, torch_device(config.device)


def build_problems(config: RunConfig, split: Split) -> Sequence[Problem]:
    """The problems of a split, with the configured limits if there are any.

    Raises:
        ProblemError: the source is missing, malformed or empty.
    """
    source = config.problems
    match source:
        case LabProblemsConfig():
            from mars2.lab.tasks import LabProblems

            lab = LabProblems(num_train=source.num_train, num_test=source.num_test, seed=source.seed)
            problems = lab.load(split)
        case ReferenceProblemsConfig():
            from mars2.problems.resolve import load_problems

            reference = source.train if split == "train" else source.test
            problems = load_problems(reference).problems if reference else []
        case _:
            assert_never(source)
    if not problems:
        raise ProblemError(f"problems: the {split} split is empty; name a source with problems")
    if config.sandbox.limits is None:
        return problems
    limits = Limits(**config.sandbox.limits.model_dump())
    return [p.with_limits(limits) for p in problems]


def build_learners(config: RunConfig, models: Mapping[str, str]) -> dict[str, Learner]:
    """One learner per policy that some agent uses."""
    from mars2.learners.lora import Lora
    from mars2.learners.objective import Objective
    from mars2.learners.torch_learner import TorchLearner

    training = config.training
    if training is None:
        raise ConfigError("training: missing; add a training section to train")
    prepare_torch(config)
    settings = training.objective.model_dump()
    optimizer = training.optimizer.model_dump(exclude={"lr_schedule", "dtype"})
    learners: dict[str, Learner] = {}
    for name in dict.fromkeys(agent.policy for agent in config.agents.values()):
        policy = config.policies[name]
        place, model, lora = learner_place(policy, models.get(name, ""))
        samplings = [config.sampling_of(a) for a, agent in config.agents.items() if agent.policy == name]
        longest = max(sampling.max_tokens for sampling in samplings)
        constant = longest if training.objective.aggregation == "constant" else None
        device = torch_device(place)
        learners[name] = TorchLearner(
            name,
            model,
            objective=Objective(**settings, constant_length=constant),
            **optimizer,
            schedule=training.optimizer.lr_schedule,
            total_steps=training.steps * training.optimizer.mini_batches,
            device=device,
            dtype=training_dtype(training.optimizer.dtype, device),
            lora=None if lora is None else Lora(**lora.model_dump()),
            seed=derive_seed(config.seed, "learner", name),
            temperature=samplings[0].temperature,  # that of all: RunConfig makes sure
            threads=config.threads or None,
        )
    return learners


def training_dtype(dtype: Literal["auto", "float32", "bfloat16"], device: str) -> Literal["float32", "bfloat16"]:
    """`auto` is what a policy generates in too: bfloat16 on a GPU, float32 on the CPU."""
    if dtype != "auto":
        return dtype
    return "bfloat16" if device.startswith("cuda") else "float32"


def learner_place(policy: PolicyConfig, model: str) -> tuple[str, str, LoraConfig | None]:
    """Device, starting weights and adapters of a policy's learner; where an engine runs is its own affair."""
    match policy:
        case TransformersPolicyConfig():
            return policy.device, model, policy.lora
        case VllmPolicyConfig():
            return "auto", model, policy.lora
        case VllmServerPolicyConfig():
            return "auto", policy.folder or policy.model, policy.lora
        case ScriptedPolicyConfig() | OpenAIPolicyConfig():
            raise AssertionError("RunConfig refuses to train these")
        case _:
            assert_never(policy)


def torch_device(device: str) -> str:
    """`auto` is the first GPU if there is one, else the CPU."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def build_estimator(config: RunConfig) -> AdvantageEstimator:
    assert config.training is not None
    match config.training.advantage:
        case "tree_group":
            return advantages.tree_group
        case "no_std":
            return advantages.no_std
        case "leave_one_out":
            return advantages.leave_one_out
        case "per_agent":
            return advantages.per_agent
        case _:
            assert_never(config.training.advantage)


def build_trainer(
    config: RunConfig, team: Team, learners: dict[str, Learner], recorder: Recorder, folder: Path
) -> Trainer:
    training = config.training
    assert training is not None
    backends: dict[str, TrainableBackend] = {}
    for name in learners:
        backend: Any = team.backends[name]
        assert isinstance(backend, TrainableBackend)
        backends[name] = backend
    problems, held_out = _split(build_problems(config, "train"), training)
    return Trainer(
        training=training,
        rollout=config.rollout,
        seed=config.seed,
        problems=problems,
        validation=build_validation(config, team, held_out) if held_out else None,
        grower=build_grower(config, team, guided=False),
        credit=Credit(
            estimator=build_estimator(config),
            policy_of_agent={name: agent.policy for name, agent in config.agents.items()},
            shaping_gamma=training.shaping.gamma,
            shaping_sibling_weight=training.shaping.sibling_weight,
            dynamic_filtering=training.dynamic_filtering,
        ),
        backends=backends,
        learners=learners,
        recorder=recorder,
        checkpoints=Checkpoints(folder / "checkpoints", keep=training.keep_checkpoints),
    )


def _split(problems: Sequence[Problem], training: TrainingConfig) -> tuple[Sequence[Problem], Sequence[Problem]]:
    """What is trained on, and what is held out for validation."""
    if not training.evaluate_every:
        return problems, []
    if training.evaluate_problems >= len(problems):
        raise ConfigError(
            f"training.evaluate_problems must be < the {len(problems)} training problems, got "
            f"{training.evaluate_problems}; they are held out of training"
        )
    return problems[: -training.evaluate_problems], problems[-training.evaluate_problems :]


def build_validation(config: RunConfig, team: Team, problems: Sequence[Problem]) -> Validation:
    assert config.training is not None
    search, samples = BestOfNConfig(strategy="best_of_n"), config.training.evaluate_samples
    return Validation(
        problems=problems,
        first_attempts={
            agent: build_grower(config, team, agents=[agent], search=search, max_nodes=samples)
            for agent in config.agents
        },
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
    )


def build_trackers(config: RunConfig, folder: Path) -> list[Tracker]:
    """TensorBoard, and what `tracking` names. Enter each before the run and leave it after.

    Raises:
        ConfigError: a package is missing.
    """
    from mars2.store.tensorboard import TensorBoardListener

    settings: dict[str, Any] = {"name": config.name, "config": config.as_dict()}
    trackers: list[Tracker] = [TensorBoardListener(folder / "tensorboard")]
    for kind in dict.fromkeys(config.tracking):
        match kind:
            case "wandb":
                from mars2.store.wandb_tracker import WandbTracker

                trackers.append(WandbTracker(folder, **settings))
            case "trackio":
                from mars2.store.trackio_tracker import TrackioTracker

                trackers.append(TrackioTracker(folder, **settings))
            case _:
                assert_never(kind)
    return trackers


def build_evaluator(
    config: RunConfig, team: Team, recorder: Recorder, problems: Sequence[Problem] | None = None
) -> Evaluator:
    """Evaluates on `problems`, or on the configured test split."""
    settings = config.evaluation
    problems = build_problems(config, "test") if problems is None else problems
    problems = seeded_subset(problems, settings.num_problems, config.seed)
    first_attempts = BestOfNConfig(strategy="best_of_n")
    return Evaluator(
        problems=problems,
        team=build_grower(config, team, search=settings.search),
        alone={a: build_grower(config, team, agents=[a], search=settings.search) for a in config.agents}
        if settings.per_agent_trees
        else {},
        first_attempts={
            a: build_grower(config, team, agents=[a], search=first_attempts, max_nodes=settings.samples_per_problem)
            for a in config.agents
        },
        trees_in_flight=config.rollout.trees_in_flight,
        lockstep=config.rollout.lockstep,
        recorder=recorder,
    )


def build_strategies(config: RunConfig) -> dict[str, SearchConfig]:
    """What `mars2 evaluate` compares: name in tables → settings. The run's own strategy keeps its settings.

    Raises:
        ConfigError: a strategy that does not exist, or is named twice.
    """
    search = config.evaluation.search or config.search
    own = search.algorithm if isinstance(search, TreeQuestConfig) else None
    own_name = search.strategy if own is None else f"{search.strategy}:{own}"
    found: dict[str, SearchConfig] = {}
    for name in config.evaluation.strategies or [own_name]:
        if name in found:
            raise ConfigError(f"evaluation.strategies: {name!r} is named twice; name each strategy once")
        if name == own_name:
            found[name] = search
        else:
            found[name] = parse_config(config.as_dict() | {"search": parse_strategy(name)}).search
    return found


def build_entrants(config: RunConfig, team: Team) -> list[Entrant]:
    """Every strategy with the whole team and, where configured, with each agent alone; and best-of-n trees for Pass@1.

    First attempts come from the team's best-of-n trees; where that strategy is not compared, such trees are grown with
    `evaluation.samples_per_problem` attempts per agent.
    """
    teams: dict[str, list[str]] = {TEAM: list(config.agents)}
    if config.evaluation.per_agent_trees and len(config.agents) > 1:
        teams |= {agent: [agent] for agent in config.agents}

    def entrant(name: str, who: str, search: SearchConfig, max_nodes: int, *, is_reported: bool = True) -> Entrant:
        grower = build_grower(config, team, agents=teams[who], search=search, max_nodes=max_nodes)
        grower = replace(grower, expansions_in_flight=config.rollout.expansions_in_flight)  # the same for all
        selection = build_selection(config)
        if search.strategy == "t_plus":  # the behaviour of programs is part of it
            selection = replace(selection, rule="behaviour")
        return Entrant(name, who, grower, ChooseAnswer(team.sandbox, selection, team.guide), is_reported)

    strategies = build_strategies(config)
    budget = config.rollout.max_nodes
    entrants = [entrant(name, who, search, budget) for name, search in strategies.items() for who in teams]
    if "best_of_n" not in strategies:
        first = BestOfNConfig(strategy="best_of_n")
        attempts = config.evaluation.samples_per_problem * len(config.agents)
        entrants.append(entrant("best_of_n", TEAM, first, attempts, is_reported=False))
    return entrants
