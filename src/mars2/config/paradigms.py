"""The four ways to train that one key switches between: who answers, on which weights, and whether trees grow.

======  ==================================  =============================
key     agents                              samples of a problem
======  ==================================  =============================
grpo    one, on the first policy            independent, no shaping
single  one, on the first policy            a tree
homo    one per role, on the first policy   a tree
heter   as written, each its own policy     a tree
======  ==================================  =============================

Everything else stays as configured, so that two paradigms differ in nothing but this. The keys `paradigm` and `roles`
are used up: what a run saves is the configuration spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mars2.config.values import is_mapping
from mars2.core.errors import OptionError

Paradigm = Literal["grpo", "single", "homo", "heter"]

ROLES = {"lab": ["solver", "checker"], "chat": ["generalist", "debugger"]}
"""Roles of `homo` by prompting style, where the configuration names none."""


def expand_paradigm(data: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with agents, policies and search as its `paradigm` has them.

    Malformed sections are left alone: validation explains them.

    Raises:
        OptionError: `heter` without a policy of its own for each of at least two agents.
    """
    agents, policies = data.get("agents"), data.get("policies")
    if not (is_mapping(agents) and is_mapping(policies) and agents and policies):
        return dict(data)
    used = {name: str(agent.get("policy")) for name, agent in agents.items() if is_mapping(agent)}
    if not used or not set(used.values()) <= policies.keys():
        return dict(data)
    first = next(iter(used.values()))
    rest = {key: value for key, value in data.items() if key not in ("paradigm", "roles")}
    match data.get("paradigm"):
        case "grpo":
            return _independent(_fold(rest, {first: {"policy": first}}, first))
        case "single":
            return _fold(rest, {first: {"policy": first}}, first)
        case "homo":
            prompting = data.get("prompting") or {"style": "chat"}
            style = prompting.get("style") if is_mapping(prompting) else None
            roles = data.get("roles") or ROLES.get(str(style), [])
            return _fold(rest, {role: {"policy": first, "role": role} for role in roles}, first)
        case "heter":
            if len(used) < 2 or len(set(used.values())) < len(used):
                raise OptionError(
                    "paradigm",
                    "heter needs at least two agents, each with a policy of its own, got "
                    f"{', '.join(f'{agent} on {policy}' for agent, policy in used.items())}; add policies and agents",
                    sign=":",
                )
            return {**rest, "policies": {name: p for name, p in policies.items() if name in used.values()}}
        case _:
            return dict(data)


def _fold(data: Mapping[str, Any], agents: Mapping[str, Any], policy: str) -> dict[str, Any]:
    """All agents on one policy; the first agent's own sampling settings stay."""
    kept = next(iter(data["agents"].values())).get("sampling")
    own = {} if kept is None else {"sampling": kept}
    return {
        **data,
        "agents": {name: {**agent, **own} for name, agent in agents.items()},
        "policies": {policy: data["policies"][policy]},
    }


def _independent(data: Mapping[str, Any]) -> dict[str, Any]:
    """Independent samples without shaping; evaluation searches as it would have."""
    search = data.get("search") or {"strategy": "ab_mcts"}
    evaluation = data.get("evaluation") or dict[str, Any]()
    training = data.get("training")
    if is_mapping(evaluation) and evaluation.get("search") is None:
        data = {**data, "evaluation": {**evaluation, "search": search}}
    if is_mapping(training):
        shaping = training.get("shaping") or dict[str, Any]()
        data = {**data, "training": {**training, "shaping": {**shaping, "gamma": 0.0}}}
    return {**data, "search": {"strategy": "best_of_n"}}
