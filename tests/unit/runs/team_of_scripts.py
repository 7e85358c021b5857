"""A scripted team on a small problem: what the run tests share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mars2.backends.scripted import Rule, ScriptedBackend
from mars2.config.policies import PriceConfig
from mars2.core.completion import Sampling
from mars2.core.problem import CallTest, Problem, Suite
from mars2.core.protocols import Sandbox, Search
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.prompting.chat import ChatPrompter
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.team import Agent
from mars2.sandbox import ScriptedSandbox
from mars2.sandbox.worker.supervisor.comparison import values_equal
from mars2.search.ab_mcts import AbMcts

RIGHT = "```python\ndef f(x):\n    return x + 1\n```"
HALF = "```python\ndef f(x):\n    return 2\n```"
WRONG = "```python\ndef f(x):\n    return None\n```"
NOTHING = "I do not know."

PROBLEM = Problem(
    id="plus-one",
    statement="Add one.",
    public_tests=(CallTest("f", (1,), 2), CallTest("f", (5,), 6)),
    hidden_tests=(CallTest("f", (7,), 8),),
    entry_point="f",
)


def look(program: str, suite: Suite) -> Verdict:
    """The verdict of one of these programs, from looking at it: every test, compared as the suite says."""
    results: list[TestResult] = []
    for test in suite.tests:
        assert isinstance(test, CallTest)
        actual = test.args[0] + 1 if "x + 1" in program else 2 if "return 2" in program else None
        is_right = values_equal(actual, test.expected, str(suite.comparison))
        results.append(TestResult(Status.AC if is_right else Status.WA, actual=repr(actual)))
    return Verdict(next((r.status for r in results if r.status is not Status.AC), Status.AC), tuple(results))


def judge() -> ScriptedSandbox:
    return ScriptedSandbox(look)


def scripted(policy: str, *rules: tuple[str, list[str]], latency_s: float = 0.0) -> ScriptedBackend:
    return ScriptedBackend(policy, [Rule(re.compile(p), tuple(answers), latency_s) for p, answers in rules])


def grower(
    *backends: ScriptedBackend,
    max_nodes: int = 8,
    new_search: Callable[[], Search] | None = None,
    sandbox: Sandbox | None = None,
    price: PriceConfig | None = None,
    **options: Any,
) -> TreeGrower:
    agents = {b.policy: Agent(b.policy, b.policy, b, "", Sampling(max_tokens=200), price) for b in backends}
    return TreeGrower(
        agents=agents,
        new_search=new_search or (lambda: AbMcts(list(agents))),
        prompter=ChatPrompter(),
        sandbox=sandbox or judge(),
        seed=0,
        max_nodes=max_nodes,
        **options,
    )
