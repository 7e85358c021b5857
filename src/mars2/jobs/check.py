"""Tries a configuration: one answer of each agent, and how much memory and time a run will need."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from mars2 import build
from mars2.config.run import RunConfig
from mars2.core.completion import Prompt
from mars2.core.events import Listener, nobody
from mars2.jobs.running import blocking, job
from mars2.jobs.team import load_models, load_team
from mars2.runs.growing.team import Agent

_PROCESS_MIB = 600  # Python, torch and the judge
_BATCH = 16  # prompts at once where a backend has no size of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """What an agent answered to the first problem."""

    prompt: str
    answer: str
    program: str | None
    verdict: str
    finish_reason: str
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEstimate:
    """How large and how fast a policy is."""

    parameters: int
    memory_mib: float  # in a run, its learner included
    tokens_per_s: float  # of a full batch
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found out about a valid configuration."""

    agents: dict[str, AgentAnswer]
    policies: dict[str, PolicyEstimate]
    memory_mib: float
    train_minutes: float | None  # evaluations aside; None: nothing is trained

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 check --json` prints it."""
        return {"valid": True, **asdict(self)}


@dataclass(frozen=True, slots=True)
class _Speed:
    generated_per_s: float  # output tokens/s of a full batch
    read_per_s: float  # prompt tokens/s
    prompt_tokens: float  # mean
    output_tokens: float  # mean


@job
async def check_async(config: RunConfig, *, on_event: Listener = nobody) -> Checked:
    """Send one prompt to each agent, judge its answer, and measure its policy.

    Args:
        on_event: called with each `mars2.Event` as it happens.

    Raises:
        ConfigError: names the option, its value and the remedy.
        ProblemError: the problems are missing or malformed.
    """
    problems = await asyncio.to_thread(build.build_problems, config, "train" if config.training else "test")
    problem = problems[0]
    team = await load_team(config, await load_models(config, hear=on_event))
    answers: dict[str, AgentAnswer] = {}
    policies: dict[str, PolicyEstimate] = {}
    speeds: dict[str, _Speed] = {}
    try:
        for name, agent in team.agents.items():
            prompt = team.prompter.first_attempt(problem, agent.role)
            completion = await agent.backend.generate(prompt, agent.sampling.seeded(config.seed))
            program = team.prompter.read(completion.text, problem).program
            verdict = await team.sandbox.judge(program, problem.public)
            answers[name] = AgentAnswer(
                prompt="\n\n".join(message.content for message in prompt),
                answer=completion.text,
                program=program,
                verdict=verdict.status.value,
                finish_reason=completion.finish_reason,
                prompt_tokens=completion.prompt_tokens,
                output_tokens=completion.output_tokens,
            )
            if agent.policy not in speeds:
                batch = min(getattr(agent.backend, "max_batch", _BATCH), config.rollout.trees_in_flight)
                speeds[agent.policy] = await _measure(agent, prompt, batch)
                parameters = _count_parameters(agent.backend)
                policies[agent.policy] = PolicyEstimate(
                    parameters=parameters,
                    memory_mib=_memory_mib(config, parameters),
                    tokens_per_s=speeds[agent.policy].generated_per_s,
                    batch=batch,
                )
    finally:
        await team.close()
    return Checked(
        agents=answers,
        policies=policies,
        memory_mib=_PROCESS_MIB + sum(policy.memory_mib for policy in policies.values()),
        train_minutes=_train_minutes(config, speeds),
    )


check = blocking(check_async)


async def _measure(agent: Agent, prompt: Prompt, batch: int) -> _Speed:
    """Time a full batch of answers, and a batch that only reads the prompts."""
    started = time.monotonic()
    completions = await asyncio.gather(
        *(agent.backend.generate(prompt, agent.sampling.seeded(seed)) for seed in range(batch))
    )
    generating = time.monotonic() - started
    started = time.monotonic()
    await asyncio.gather(
        *(agent.backend.generate(prompt, replace(agent.sampling, max_tokens=1).seeded(s)) for s in range(batch))
    )
    reading = max(time.monotonic() - started, 1e-6)
    written = sum(c.output_tokens for c in completions)
    read = sum(c.prompt_tokens for c in completions)
    return _Speed(written / max(generating, 1e-6), read / reading, read / batch, written / batch)


def _count_parameters(backend: object) -> int:
    model: Any = getattr(backend, "model", None)
    return 0 if model is None else sum(p.numel() for p in model.parameters())


def _memory_mib(config: RunConfig, parameters: int) -> float:
    """float32 weights of the sampler; in training also the learner's, gradients, two Adam moments, the reference."""
    copies = 1.0
    if config.training is not None:
        copies += 4 + (1 if config.training.objective.kl_beta > 0 else 0)
    return copies * parameters * 4 / 2**20


def _train_minutes(config: RunConfig, speeds: dict[str, _Speed]) -> float | None:
    """Generation at the measured speed, plus learning at three times the cost of reading (forward and backward)."""
    if config.training is None or not speeds:
        return None
    seconds = 0.0
    for speed in speeds.values():
        per_step = config.training.batch_samples
        seconds += per_step * speed.output_tokens / speed.generated_per_s
        seconds += 3 * per_step * (speed.prompt_tokens + speed.output_tokens) / speed.read_per_s
    return config.training.steps * seconds / 60
