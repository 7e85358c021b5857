"""The tersest prompts that say everything: tiny policies read a few dozen tokens, not a page."""

from __future__ import annotations

import re

from mars2.core.completion import Message, Prompt, Reading
from mars2.core.problem import CallTest, Problem, Test
from mars2.core.tree import Node
from mars2.core.verdict import Status, TestResult

ROLE_TAGS = ("solver", "checker")  # roles that the warm start has seen, for several agents on one policy
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_MAX_ACTUAL_CHARS = 40


class LabPrompter:
    """Writes lab prompts (core `Prompter`).

    First attempt: the role if there is one, the statement, and the public examples. Refinement: the role, the
    statement, the parent's program, and its first failing public example with what came instead.
    """

    def first_attempt(self, problem: Problem, role: str) -> Prompt:
        examples = [show_call(test) for test in problem.public_tests]
        return ask(role, problem.statement, *examples)

    def refinement(self, problem: Problem, role: str, parent: Node) -> Prompt:
        feedback = "all pass"
        for test, result in zip(problem.public_tests, parent.public_verdict.tests, strict=False):
            if result.status not in (Status.AC, Status.SKIPPED):
                feedback = f"{show_call(test)} not {show_outcome(result)}"
                break
        if parent.program is None:
            return ask(role, problem.statement, "no program")
        return ask(role, problem.statement, parent.program, feedback)

    def read(self, text: str, problem: Problem | None = None) -> Reading:
        """The last fenced block if there is one, else the whole answer; no program if it defines no function."""
        fenced = _FENCE.findall(text)
        program = (fenced[-1] if fenced else text).strip()
        if "def " not in program:
            return Reading(None, "no function in the answer")
        return Reading(program, "the last block" if fenced else "the whole answer")


def ask(*parts: str) -> Prompt:
    """One user message of the parts that are not empty, a line each."""
    return (Message("user", "\n".join(part for part in parts if part)),)


def show_call(test: Test) -> str:
    """For example "f([3,1])=4".

    Raises:
        TypeError: the test is not a `CallTest`; lab problems have no others.
    """
    if not isinstance(test, CallTest):
        raise TypeError(f"LabPrompter shows CallTest only, got {type(test).__name__}; use the general prompter")
    args = ",".join(show(arg) for arg in test.args)
    return f"{test.function}({args})={show(test.expected)}"


def show(value: object) -> str:
    """`repr` without the spaces after commas."""
    return repr(value).replace(", ", ",")


def show_outcome(result: TestResult) -> str:
    """What came instead: the value returned, the error's type, or the limit that was hit."""
    if result.status is Status.WA:
        return result.actual.replace(", ", ",")[:_MAX_ACTUAL_CHARS]
    if result.status is Status.CE:
        return result.error_type or "SyntaxError"
    return result.error_type or result.status.value
