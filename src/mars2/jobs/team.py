"""Which agents work, and with which options: models that are named, a configuration, or a trained run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mars2 import build
from mars2.config.load import load_config, parse_config
from mars2.config.policies import PolicySettings, model_name, parse_model
from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError, ProblemError
from mars2.core.events import Listener, Note, nobody
from mars2.core.problem import Problem
from mars2.jobs.options import Agents, ConfigLike
from mars2.jobs.run_folder import latest_checkpoint, open_run
from mars2.jobs.running import off_the_loop
from mars2.runs.growing.team import Team

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Setup:
    """The options of a job, and where its weights come from."""

    config: RunConfig
    trained: Path | None = None  # a checkpoint; None: the models as they are

    def changed(self, sections: Mapping[str, Any], settings: Mapping[str, Any]) -> Setup:
        """With these sections replaced, and then these dotted keys set.

        Raises:
            ConfigError: names the key.
        """
        replaced = {name: section for name, section in sections.items() if name not in settings}
        return Setup(parse_config(self.config.as_dict(), changes=replaced | dict(settings)), self.trained)


def find_team(agents: Agents | None = None, config: ConfigLike | None = None, run: str | Path | None = None) -> Setup:
    """The team that exactly one of the three names.

    Raises:
        ConfigError: none or several are given, or the one is wrong.
    """
    given = [name for name, value in (("agents", agents), ("config", config), ("run", run)) if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "nothing"
        raise ConfigError(f"team: give exactly one of agents, config and run, got {got}")
    if run is not None:
        store, settings = open_run(Path(run))
        store.close()
        return Setup(settings, latest_checkpoint(Path(run)))
    if config is not None:
        return Setup(read_config(config))
    assert agents is not None
    return Setup(_config_of_models(agents))


def read_config(config: ConfigLike, settings: Mapping[str, Any] | None = None) -> RunConfig:
    """A configuration in any of its forms, with these dotted keys set.

    Raises:
        ConfigError: names file, key and value.
    """
    match config:
        case RunConfig():
            return parse_config(config.as_dict(), changes=settings) if settings else config
        case Mapping():
            return parse_config(config, changes=settings)
        case _:
            return load_config(Path(config), changes=settings)


def _config_of_models(agents: Agents) -> RunConfig:
    """A team of models that are named, one agent each."""
    policies: dict[str, PolicySettings] = {}
    for name, model in _named_models(agents):
        policy = parse_model(model)
        name = name or model_name(policy)
        if name in policies:
            raise ConfigError(f"agents: two agents are called {name!r}; name them, as in a=MODEL,b=MODEL")
        if policy.has_weights:
            build.check_model("agents", policy.named_after)
        policies[name] = policy
    if not policies:
        raise ConfigError("agents: names no model; give a folder, a Hugging Face id or openai:MODEL@URL")
    return parse_config(
        {
            "name": "solve",
            "problems": {"kind": "reference", "test": "-"},
            "policies": policies,
            "agents": {name: {"policy": name} for name in policies},
            # In waves the batches of an engine in this process repeat; with servers nobody needs to wait.
            "rollout": {"lockstep": any(policy.has_weights for policy in policies.values())},
        }
    )


def _named_models(agents: Agents) -> list[tuple[str, str]]:
    """(name, model) of each agent; "" for a name that is not given."""
    if isinstance(agents, Mapping):
        return list(agents.items())
    texts = agents.split(",") if isinstance(agents, str) else agents
    found: list[tuple[str, str]] = []
    for text in filter(None, (text.strip() for text in texts)):
        name, sign, model = text.partition("=")
        found.append((name, model) if sign and _NAME.fullmatch(name) else ("", text))
    return found


def longest_answer(config: RunConfig, max_tokens: int | None) -> dict[str, Any]:
    """The dotted keys that give every agent this longest answer, in tokens; none for None."""
    if max_tokens is None:
        return {}
    own = (name for name, agent in config.agents.items() if agent.sampling is not None)
    return dict.fromkeys(["sampling.max_tokens", *(f"agents.{name}.sampling.max_tokens" for name in own)], max_tokens)


def find_problem(problem: Problem | str | Path, config: RunConfig) -> Problem:
    """The problem that a reference names; problems of the lab belong to a run's configuration.

    Raises:
        ProblemError: there is no such problem.
    """
    if isinstance(problem, Problem):
        return problem
    reference = str(problem)
    if reference.startswith("lab/"):
        from mars2.build.team import build_problems

        if config.problems.kind != "lab":
            raise ProblemError(f"problem {reference!r} belongs to the lab; give the run or configuration of a lab run")
        split = "train" if reference.startswith("lab/train/") else "test"
        found = {p.id: p for p in build_problems(config, split)}
        if reference not in found:
            raise ProblemError(f"problem: no {reference!r}; this run has {next(iter(found))} … {list(found)[-1]}")
        return found[reference]
    from mars2.problems import load_problem

    return load_problem(reference)


async def load_models(config: RunConfig, *, trained: Path | None = None, hear: Listener = nobody) -> dict[str, str]:
    """`build.resolve_models` off the event loop. The warm start of lab policies is told, and ends on cancellation."""

    def resolve(tell: Listener) -> dict[str, str]:
        def progress(policy: str, fraction: float) -> None:
            tell(Note("warm_start", {"policy": policy, "fraction": fraction}))

        return build.resolve_models(config, trained=trained, progress=progress)

    return await off_the_loop(resolve, hear)


async def load_team(config: RunConfig, models: Mapping[str, str]) -> Team:
    """`build.build_team` off the event loop: models are loaded there."""
    return await off_the_loop(lambda _: build.build_team(config, models))
