"""MARS²: several LLM agents learn to write code together by growing one search tree per problem.

The library: `solve`, `evaluate`, `train`, `judge` and `load_problems`, each also as `NAME_async`; see docs/api.md.
Names are loaded when they are first used: `import mars2` itself costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mars2.core.completion import Reading
    from mars2.core.errors import (
        BackendError,
        CheckerError,
        ConfigError,
        Mars2Error,
        ProblemError,
        SandboxUnavailable,
        StoreError,
        UserError,
    )
    from mars2.core.events import Cancelled, Chosen, Event, Finished, Held, Metrics, Note, Opened, Told
    from mars2.core.problem import AssertTest, CallTest, Checker, Limits, Problem, StdioTest, Suite
    from mars2.core.tree import Node, Tree
    from mars2.core.usage import Usage
    from mars2.core.verdict import Status, TestResult, Verdict
    from mars2.jobs.evaluate import evaluate, evaluate_async
    from mars2.jobs.evaluation import EvaluationResult
    from mars2.jobs.judge import judge, judge_async, read_answer
    from mars2.jobs.load import Problems, load_problems, load_problems_async
    from mars2.jobs.solution import Solution
    from mars2.jobs.solve import solve, solve_async
    from mars2.jobs.train import train, train_async
    from mars2.jobs.training import TrainingResult

__version__ = "0.1.0"

__all__ = [
    "AssertTest",
    "BackendError",
    "CallTest",
    "Cancelled",
    "Checker",
    "CheckerError",
    "Chosen",
    "ConfigError",
    "EvaluationResult",
    "Event",
    "Finished",
    "Held",
    "Limits",
    "Mars2Error",
    "Metrics",
    "Node",
    "Note",
    "Opened",
    "Problem",
    "ProblemError",
    "Problems",
    "Reading",
    "SandboxUnavailable",
    "Solution",
    "Status",
    "StdioTest",
    "StoreError",
    "Suite",
    "TestResult",
    "Told",
    "TrainingResult",
    "Tree",
    "Usage",
    "UserError",
    "Verdict",
    "__version__",
    "evaluate",
    "evaluate_async",
    "judge",
    "judge_async",
    "load_problems",
    "load_problems_async",
    "read_answer",
    "solve",
    "solve_async",
    "train",
    "train_async",
]

_HOMES = {
    "mars2.core.completion": ("Reading",),
    "mars2.core.errors": (
        "BackendError",
        "CheckerError",
        "ConfigError",
        "Mars2Error",
        "ProblemError",
        "SandboxUnavailable",
        "StoreError",
        "UserError",
    ),
    "mars2.core.events": (
        "Cancelled",
        "Chosen",
        "Event",
        "Finished",
        "Held",
        "Metrics",
        "Note",
        "Opened",
        "Told",
    ),
    "mars2.core.problem": (
        "AssertTest",
        "CallTest",
        "Checker",
        "Limits",
        "Problem",
        "StdioTest",
        "Suite",
    ),
    "mars2.core.tree": (
        "Node",
        "Tree",
    ),
    "mars2.core.usage": ("Usage",),
    "mars2.core.verdict": (
        "Status",
        "TestResult",
        "Verdict",
    ),
    "mars2.jobs.evaluate": (
        "evaluate",
        "evaluate_async",
    ),
    "mars2.jobs.evaluation": ("EvaluationResult",),
    "mars2.jobs.judge": (
        "judge",
        "judge_async",
        "read_answer",
    ),
    "mars2.jobs.load": (
        "Problems",
        "load_problems",
        "load_problems_async",
    ),
    "mars2.jobs.solution": ("Solution",),
    "mars2.jobs.solve": (
        "solve",
        "solve_async",
    ),
    "mars2.jobs.train": (
        "train",
        "train_async",
    ),
    "mars2.jobs.training": ("TrainingResult",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
