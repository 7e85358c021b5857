"""Prompts for instruction models: a first attempt, and a refinement that shows what the tests found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mars2.core.completion import Message, Prompt, Reading
from mars2.core.problem import AssertTest, CallTest, Problem, StdioTest, VisibleProblem
from mars2.core.tree import Node
from mars2.core.verdict import Status
from mars2.prompting.completing import complete_program
from mars2.prompting.feedback import describe_test, describe_verdict
from mars2.prompting.parsing import read_answer
from mars2.prompting.shortening import fenced

_ANSWER = "Answer with the complete program in one ```python block."


@dataclass(frozen=True, slots=True)
class ChatPrompter:
    """Implements `mars2.core.protocols.Prompter`. Reads only `problem.visible()` and the limits: never a hidden test.

    All sizes are in characters: about four to a token for English and code.
    """

    feedback_tests: int = 2  # failing tests shown in a refinement
    feedback_chars: int = 2000  # characters of evidence, for all of these tests together
    example_tests: int = 3  # public tests shown with the statement
    example_chars: int = 2000  # for each of them
    program_chars: int = 16_000  # of the parent program

    def first_attempt(self, problem: Problem, role: str) -> Prompt:
        """Statement, starter code, how the program is run, public tests. No feedback: first attempts stay diverse."""
        return _prompt(role, f"{self._task(problem)}\n\n{_ANSWER}")

    def refinement(self, problem: Problem, role: str, parent: Node) -> Prompt:
        """The task, the parent's program and how it did on the public tests."""
        return _prompt(role, f"{self._task(problem)}\n\n{self._attempt(problem, parent)}")

    def read(self, text: str, problem: Problem | None = None) -> Reading:
        """The program in an answer. With `problem`, missing code that its benchmark runs in front is added."""
        if problem is None:
            return read_answer(text)
        reading = read_answer_to(problem, text)
        if reading.program is None:
            return reading
        implied = str(problem.metadata.get("implied_imports", ""))
        return replace(reading, program=complete_program(reading.program, problem.starter_code, implied))

    def parse(self, text: str, problem: Problem | None = None) -> str | None:
        """The program of `read` alone."""
        return self.read(text, problem).program

    def _task(self, problem: Problem) -> str:
        seen = problem.visible()
        parts = [seen.statement.strip()]
        if seen.starter_code.strip() and seen.starter_code.strip() not in seen.statement:
            parts.append(f"Starter code:\n{fenced(seen.starter_code, len(seen.starter_code), 'python')}")
        parts.append(_how_it_is_run(seen))
        examples = [describe_test(test, self.example_chars) for test in seen.public_tests[: self.example_tests]]
        if examples:
            parts.append("Public tests:\n" + "\n".join(examples))
        return "\n\n".join(parts)

    def _attempt(self, problem: Problem, parent: Node) -> str:
        if parent.program is None:
            cut = (
                " It was cut off at the length limit, so be brief."
                if parent.completion.finish_reason == "length"
                else ""
            )
            return f"An earlier answer to this task contained no Python code block.{cut}\n\nSolve the task. {_ANSWER}"
        intro = f"An earlier attempt at this task:\n{fenced(parent.program, self.program_chars, 'python')}"
        if parent.completion.finish_reason == "length":
            intro += "\nThat answer was cut off at the length limit, so be brief."
        if not parent.public_verdict.tests and parent.public_verdict.status is not Status.CE:
            request = "There are no public tests. Check it against the statement, edge cases included, and correct it."
            return f"{intro}\n\n{request} {_ANSWER}"
        if parent.public_verdict.accepted:
            request = (
                f"It passed all {len(parent.public_verdict.tests)} public tests. Hidden tests may still fail: check "
                "edge cases (empty, smallest and largest input, duplicates, negative numbers) and speed; improve it."
            )
            return f"{intro}\n\n{request} {_ANSWER}"
        feedback = describe_verdict(
            parent.public_verdict,
            problem.public_tests,
            problem.limits,
            max_tests=self.feedback_tests,
            max_chars=self.feedback_chars,
        )
        return f"{intro}\n\n{feedback}\n\nFind the mistake and write a correct program. {_ANSWER}"


def read_answer_to(problem: Problem, text: str) -> Reading:
    """The program in an answer to a problem, as the answer has it."""
    called = (test.function for test in problem.public_tests if isinstance(test, CallTest))
    return read_answer(text, problem.entry_point or next(called, None))


def _prompt(role: str, text: str) -> Prompt:
    user = Message("user", text)
    return (Message("system", role.strip()), user) if role.strip() else (user,)


def _is_passed(name: str, seen: VisibleProblem) -> bool:
    return any(name in kind for test in seen.public_tests if isinstance(test, CallTest) for kind in test.types)


def _how_it_is_run(seen: VisibleProblem) -> str:
    keep = " Keep the starter code's imports and helper functions." if seen.starter_code.strip() else ""
    if nodes := [name for name in ("ListNode", "TreeNode") if _is_passed(name, seen)]:
        keep += f" {' and '.join(nodes)} is defined, as on LeetCode; the tests below write its objects as lists."
    if any(isinstance(test, CallTest) and test.types[:1] == ("operations",) for test in seen.public_tests):
        keep += " The tests below give the names of the operations, then the arguments of each."
    if seen.entry_point and "." in seen.entry_point:
        owner, _, method = seen.entry_point.partition(".")
        return f"The program must define `class {owner}` with the method `{method}`; the tests call it.{keep}"
    if seen.entry_point:
        return f"The program must define `{seen.entry_point}`; the tests call it, so it must not read input.{keep}"
    if seen.public_tests and all(isinstance(test, AssertTest) for test in seen.public_tests):
        return f"The tests below are run after the program, in its namespace.{keep}"
    if not seen.public_tests or any(isinstance(test, StdioTest) for test in seen.public_tests):
        return f"The program must read its input from stdin and print its answer to stdout, and nothing else.{keep}"
    return f"The tests below call the program's functions.{keep}"
