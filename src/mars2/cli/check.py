"""``mars2 check``: is a configuration valid, does it fit into memory, how long will it take, what do agents answer?"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mars2.cli.output import print_json, run_async, stdout, write
from mars2.cli.progress import warm_start_progress
from mars2.config.load import load_config
from mars2.config.run import RunConfig
from mars2.core.foreign_text import block, named

HELP = """Check a configuration: validate it, send one prompt per agent, show the answers, estimate memory and time.

Example:

    mars2 check quickstart
"""


def register(app: typer.Typer) -> None:
    app.command(help=HELP)(check)


def check(
    config: Annotated[Path, typer.Argument(help="A YAML configuration, or a recipe's name.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, for example training.steps=10.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON on stdout.")] = False,
) -> None:
    settings = load_config(config, set_ or ())
    findings = run_async(_check(settings), when_interrupted="interrupted")
    if as_json:
        print_json(findings)
        return
    stdout.print(f"{config}: valid")
    for name, agent in findings["agents"].items():
        stdout.rule(
            f"agent {named(name)}: {agent['output_tokens']} tokens, {agent['finish_reason']}, {agent['verdict']}"
        )
        write(block(agent["prompt"]))
        stdout.rule("answer")
        write(block(agent["answer"]))
    stdout.rule("estimates")
    for name, policy in findings["policies"].items():
        stdout.print(
            f"policy {name}: {policy['parameters'] / 1e6:.1f} M parameters, about {policy['memory_mib']:.0f} MiB, "
            f"{policy['tokens_per_s']:.0f} tokens/s at batch {policy['batch']}"
        )
    stdout.print(f"memory in all: about {findings['memory_mib']:.0f} MiB")
    if findings["train_minutes"] is not None:
        stdout.print(
            f"{settings.training.steps if settings.training else 0} steps: about {findings['train_minutes']:.1f} "
            "minutes, evaluations aside"
        )


@dataclass(frozen=True, slots=True)
class _Speed:
    generated_per_s: float  # output tokens/s of a full batch
    read_per_s: float  # prompt tokens/s
    prompt_tokens: float  # mean
    output_tokens: float  # mean


async def _check(config: RunConfig) -> dict[str, Any]:
    from mars2 import build

    problem = build.build_problems(config, "train" if config.training else "test")[0]
    models = build.resolve_models(config, progress=warm_start_progress())
    team = build.build_team(config, models)
    agents: dict[str, Any] = {}
    policies: dict[str, Any] = {}
    try:
        speeds: dict[str, _Speed] = {}
        for name, agent in team.agents.items():
            prompt = team.prompter.first_attempt(problem, agent.role)
            completion = await agent.backend.generate(prompt, agent.sampling.seeded(config.seed))
            program = team.prompter.read(completion.text, problem).program
            verdict = await team.sandbox.judge(program, problem.public)
            agents[name] = {
                "prompt": "\n\n".join(m.content for m in prompt),
                "answer": completion.text,
                "program": program,
                "verdict": verdict.status.value,
                "finish_reason": completion.finish_reason,
                "prompt_tokens": completion.prompt_tokens,
                "output_tokens": completion.output_tokens,
            }
            if agent.policy not in speeds:
                batch = min(getattr(agent.backend, "max_batch", 16), config.rollout.trees_in_flight)
                speeds[agent.policy] = await _measure(agent, prompt, batch)
                parameters = _count_parameters(agent.backend)
                policies[agent.policy] = {
                    "parameters": parameters,
                    "memory_mib": _memory_mib(config, parameters),
                    "tokens_per_s": speeds[agent.policy].generated_per_s,
                    "batch": batch,
                }
    finally:
        await team.close()
    return {
        "valid": True,
        "agents": agents,
        "policies": policies,
        "memory_mib": 600 + sum(p["memory_mib"] for p in policies.values()),  # 600: Python, torch, the judge
        "train_minutes": _train_minutes(config, speeds),
    }


async def _measure(agent: Any, prompt: Any, batch: int) -> _Speed:
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


def _count_parameters(backend: Any) -> int:
    model = getattr(backend, "model", None)
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
