"""The options of `solve` and `evaluate`, declared once: for the library, the command line and the endpoint."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from mars2.config.run import RunConfig
from mars2.core.events import Listener, nobody

Agents = str | Sequence[str] | Mapping[str, str]
"""Models, as on the command line: "MODEL,NAME=MODEL", a list of such texts, or name → model."""

ConfigLike = str | Path | Mapping[str, Any] | RunConfig
"""A configuration: a YAML file, its content, or one that was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """
    Args:
        agents: models, as for ``mars2 solve --agents``: "MODEL,NAME=MODEL", a list of such texts, or name → model.
        config: in place of `agents`: a configuration (a file, its content, or one that was loaded).
        run: in place of `agents`: the folder of a training run, for its newest weights.
        budget: programs to write at most.
        strategy: such as ``t_plus`` or ``ab_mcts:posterior=gaussian``, or a `search` section.
        select: ``behaviour`` or ``public``: how the answer is chosen among programs equal on public tests.
        reward_model: a folder that ``mars2 train-reward`` made, to weigh the programs in the choice.
        tokens: prompt and output tokens to spend at most.
        seconds: to search at most.
        cost: money to spend at most; needs prices of the policies.
        parallel: programs being written at once.
        max_tokens: longest answer of a model.
        seed: same seed, same search.
        keep_going: spend the whole budget even after a program passes all public tests.
        settings: dotted keys of the configuration → values, such as {"stopping.patience": 8}; they come last.
        out: a folder to record the search in; None: nothing is kept on disk.
        resume: go on with the interrupted search in `out`.
        on_event: called with each `mars2.Event` as it happens.
    """

    agents: Agents | None = None
    config: ConfigLike | None = None
    run: str | Path | None = None
    budget: int = 8
    strategy: str | Mapping[str, Any] = "t_plus"
    select: str = "behaviour"
    reward_model: str | Path | None = None
    tokens: int | None = None
    seconds: float | None = None
    cost: float | None = None
    parallel: int = 4
    max_tokens: int | None = None
    seed: int = 0
    keep_going: bool = False
    settings: Mapping[str, Any] | None = None
    out: str | Path | None = None
    resume: bool = False
    on_event: Listener = nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """
    Args:
        agents: models, as for `solve`.
        config: in place of `agents`: a configuration.
        run: in place of `agents`: the folder of a training run, for its newest weights.
        problems: without a team: other problems than configured.
        strategies: to compare, such as ["best_of_n", "ab_mcts:posterior=gaussian"]; None: as configured.
        budget: nodes per tree.
        seeds: trees per problem and strategy.
        limit: only so many problems, drawn at random, fixed by the seed.
        alone: also trees of each agent alone, where there are several.
        max_tokens: longest answer of a model.
        parallel: trees growing at once.
        settings: dotted keys of the configuration → values.
        out: a folder to record the evaluation in; None: nothing is kept on disk.
        resume: go on with the evaluation in `out`, or grow a finished one. Otherwise an older one is set aside.
        on_event: called with each `mars2.Event` as it happens.
    """

    agents: Agents | None = None
    config: ConfigLike | None = None
    run: str | Path | None = None
    problems: str | None = None
    strategies: Sequence[str] | None = None
    budget: int | None = None
    seeds: int | None = None
    limit: int | None = None
    alone: bool | None = None
    max_tokens: int | None = None
    parallel: int | None = None
    settings: Mapping[str, Any] | None = None
    out: str | Path | None = None
    resume: bool = False
    on_event: Listener = nobody


P = ParamSpec("P")
Target = TypeVar("Target")
Options = TypeVar("Options")
Result = TypeVar("Result")


def takes(
    options: Callable[P, Options],
) -> Callable[
    [Callable[[Target, Options], Coroutine[Any, Any, Result]]],
    Callable[Concatenate[Target, P], Coroutine[Any, Any, Result]],
]:
    """Lets a job be called with the fields of its options object as keyword arguments; signature and help show them."""

    def decorate(
        work: Callable[[Target, Options], Coroutine[Any, Any, Result]],
    ) -> Callable[Concatenate[Target, P], Coroutine[Any, Any, Result]]:
        shape = inspect.signature(work)
        first = next(iter(shape.parameters.values()))
        shape = shape.replace(parameters=[first, *inspect.signature(options).parameters.values()])

        @functools.wraps(work)
        def run(*args: Any, **given: Any) -> Coroutine[Any, Any, Result]:
            arguments = shape.bind(*args, **given).arguments
            target = arguments.pop(first.name)
            make: Callable[..., Options] = options
            return work(target, make(**arguments))

        summary, _, rest = inspect.cleandoc(work.__doc__ or "").partition("\n\n")
        run.__doc__ = "\n\n".join(filter(None, (summary, inspect.cleandoc(options.__doc__ or ""), rest)))
        setattr(run, "__signature__", shape)  # noqa: B010 (functions have it only once it is set)
        return run

    return decorate
