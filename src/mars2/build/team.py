"""The agents at work and what they share: backends, prompter, judge, problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from mars2.build.models import prepare_torch, torch_device
from mars2.config.policies import (
    OpenAIPolicyConfig,
    PolicyConfig,
    ScriptedPolicyConfig,
    TransformersPolicyConfig,
    VllmPolicyConfig,
    VllmServerPolicyConfig,
)
from mars2.config.problems import LabProblemsConfig, ProblemsConfig, ReferenceProblemsConfig
from mars2.config.prompting import ChatPromptingConfig, LabPromptingConfig, PromptingConfig
from mars2.config.run import RunConfig
from mars2.config.sandbox import BubblewrapSandboxConfig, DockerSandboxConfig, SandboxFusionConfig, ZygoteSandboxConfig
from mars2.core.errors import ConfigError, ProblemError
from mars2.core.problem import Problem
from mars2.core.protocols import (
    Backend,
    ProblemSource,
    Prompter,
    Sandbox,
    Split,
)
from mars2.prompting.chat import ChatPrompter
from mars2.prompting.roles import load_role
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.slots import Slots
from mars2.runs.growing.team import Agent, Team


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
            config.sampling_of(name),
            config.policies[agent.policy].price,
        )
        for name, agent in config.agents.items()
    }
    slots = Slots({name: policy.concurrency for name, policy in config.policies.items()})
    return Team(agents, backends, build_prompter(config.prompting), build_sandbox(config), slots, build_guide(config))


def build_guide(config: RunConfig) -> Guide | None:
    """The configured reward model, loaded."""
    if config.guidance is None:
        return None
    from mars2.reward_model.model import load_reward_model

    model = load_reward_model(config.guidance.reward_model, device=torch_device(config.guidance.device))
    return Guide(model, trained_on=model.trained_on)


def build_backend(name: str, policy: PolicyConfig, models: Mapping[str, str]) -> Backend:
    match policy:
        case TransformersPolicyConfig():
            from mars2.backends.in_process import TransformersBackend

            return TransformersBackend(name, policy, models[name])
        case ScriptedPolicyConfig():
            from mars2.backends.scripted import ScriptedBackend, load_script

            return ScriptedBackend(name, load_script(policy.script))
        case VllmPolicyConfig():
            from mars2.backends.vllm_engine import VllmBackend

            return VllmBackend(name, policy, models[name])
        case VllmServerPolicyConfig():
            from mars2.backends.vllm_server import VllmServerBackend

            return VllmServerBackend(name, policy)
        case OpenAIPolicyConfig():
            from mars2.backends.openai_http import OpenAIBackend

            return OpenAIBackend(name, policy)
        case _:
            assert_never(policy)


def build_role(config: RunConfig, role: str) -> str:
    """The role prompt that `role` names: a shipped file or the user's; in the lab, a tag its policies were taught."""
    match config.prompting:
        case ChatPromptingConfig():
            return load_role(role)
        case LabPromptingConfig():
            from mars2.lab.prompting import ROLE_TAGS

            if role and role not in ROLE_TAGS:
                raise ConfigError(f"role: lab policies know the roles {', '.join(ROLE_TAGS)}, got {role!r}; use one")
            return role
        case _:
            assert_never(config.prompting)


def build_prompter(prompting: PromptingConfig) -> Prompter:
    match prompting:
        case ChatPromptingConfig() as chat:
            return ChatPrompter(feedback_tests=chat.feedback_tests, feedback_chars=chat.feedback_chars)
        case LabPromptingConfig():
            from mars2.lab.prompting import LabPrompter

            return LabPrompter()
        case _:
            assert_never(prompting)


def build_sandbox(config: RunConfig) -> Sandbox:
    from mars2.sandbox import ZygoteSandbox

    match config.sandbox:
        case ZygoteSandboxConfig() as zygote:
            return ZygoteSandbox(zygote.workers, allow_unsafe=zygote.allow_unsafe)
        case BubblewrapSandboxConfig() as bubblewrap:
            from mars2.sandbox.bubblewrap import Bubblewrap

            return ZygoteSandbox(bubblewrap.workers, launcher=Bubblewrap(bubblewrap))
        case DockerSandboxConfig() as docker:
            from mars2.sandbox.docker import Docker

            return ZygoteSandbox(docker.workers, launcher=Docker(docker))
        case SandboxFusionConfig() as service:
            from mars2.sandbox.sandboxfusion import SandboxFusion

            return SandboxFusion(service)
        case _:
            assert_never(config.sandbox)


def build_problems(config: RunConfig, split: Split) -> Sequence[Problem]:
    """The problems of a split, with the configured limits if there are any.

    Raises:
        ProblemError: the source is missing, malformed or empty.
    """
    problems = _source(config.problems).load(split)
    if not problems:
        raise ProblemError(f"problems: the {split} split is empty; name a source with problems")
    if config.sandbox.limits is None:
        return problems
    return [p.with_limits(config.sandbox.limits) for p in problems]


def _source(source: ProblemsConfig) -> ProblemSource:
    match source:
        case LabProblemsConfig():
            from mars2.lab.tasks import LabProblems

            return LabProblems(num_train=source.num_train, num_test=source.num_test, seed=source.seed)
        case ReferenceProblemsConfig():
            from mars2.problems.resolve import ReferenceSource

            return ReferenceSource(source.train, source.test)
        case _:
            assert_never(source)
