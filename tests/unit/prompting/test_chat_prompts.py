"""What the two prompts say, and that hidden tests never get into them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mars2.core.completion import Completion, FinishReason, Prompt
from mars2.core.problem import AssertTest, CallTest, Limits, Problem, StdioTest
from mars2.core.tree import Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.prompting import ChatPrompter

STDIO = Problem(
    id="sum",
    statement="Print the sum of two integers.",
    public_tests=(StdioTest("1 2\n", "3\n"), StdioTest("5 5\n", "10\n"), StdioTest("0 0\n", "0\n")),
    hidden_tests=(StdioTest("HIDDEN 9\n", "HIDDEN 18\n"),),
    limits=Limits(cpu_s=2.0, memory_mib=64, stdout_kib=32),
)
CALL = Problem(
    id="inc",
    statement="Return n + 1.",
    public_tests=(CallTest("inc", (1,), 2),),
    hidden_tests=(CallTest("inc", (99,), 100),),
    entry_point="inc",
    starter_code="import math\n\ndef inc(n):\n",
)


def _parent(
    problem: Problem,
    *results: TestResult,
    program: str | None = "print(1)\n",
    status: Status | None = None,
    finish_reason: FinishReason = "stop",
) -> Node:
    overall = status or next((r.status for r in results if r.status is not Status.AC), Status.AC)
    tree = Tree("t", problem.id)
    node = tree.add(
        tree.expand(None, "a"),
        Result(
            prompt=(),
            completion=Completion("text", finish_reason, "p", 0),
            program=program,
            public_verdict=Verdict(overall, results),
            hidden_verdict=None,
            score=0.0,
        ),
    )
    assert node is not None
    return node


def _text(prompt: Prompt) -> str:
    assert prompt[-1].role == "user"
    return prompt[-1].content


def test_first_attempt_for_stdin() -> None:
    text = _text(ChatPrompter().first_attempt(STDIO, ""))
    assert STDIO.statement in text
    assert "stdin" in text
    assert "Input:\n```\n1 2\n```\nExpected output:\n```\n3\n```" in text
    assert "one ```python block" in text


def test_first_attempt_for_a_function_with_starter_code() -> None:
    text = _text(ChatPrompter().first_attempt(CALL, ""))
    assert "must define `inc`" in text
    assert "```python\nimport math\n\ndef inc(n):\n```" in text
    assert "inc(1) must return 2" in text


def test_starter_code_that_the_statement_shows_is_not_repeated() -> None:
    problem = replace(CALL, statement="Complete:\n```python\nimport math\n\ndef inc(n):\n    '''n + 1'''\n```")
    assert _text(ChatPrompter().first_attempt(problem, "")).count("def inc") == 1


def test_first_attempt_for_a_method() -> None:
    text = _text(ChatPrompter().first_attempt(replace(CALL, entry_point="Solution.inc"), ""))
    assert "`class Solution` with the method `inc`" in text


def test_first_attempt_for_asserts_without_entry_point() -> None:
    problem = Problem("a", "Define f.", (AssertTest("assert f() == 1"),), ())
    text = _text(ChatPrompter().first_attempt(problem, ""))
    assert "run after the program" in text
    assert "assert f() == 1" in text


def test_role_is_the_system_message() -> None:
    prompt = ChatPrompter().first_attempt(STDIO, " You plan first.\n")
    assert (prompt[0].role, prompt[0].content) == ("system", "You plan first.")
    assert [m.role for m in ChatPrompter().first_attempt(STDIO, "")] == ["user"]


@pytest.mark.parametrize("problem", [STDIO, CALL])
def test_prompts_do_not_depend_on_hidden_tests(problem: Problem) -> None:
    other = replace(problem, hidden_tests=())
    prompter = ChatPrompter()
    parent = _parent(problem, TestResult(Status.WA, actual="4"))
    assert prompter.first_attempt(problem, "r") == prompter.first_attempt(other, "r")
    assert prompter.refinement(problem, "r", parent) == prompter.refinement(other, "r", parent)


def test_wrong_answer_shows_input_expected_and_actual() -> None:
    results = (TestResult(Status.AC), TestResult(Status.WA, actual="11\n"), TestResult(Status.SKIPPED))
    text = _text(ChatPrompter(example_tests=0).refinement(STDIO, "", _parent(STDIO, *results)))
    assert "```python\nprint(1)\n```" in text
    assert "It passed 1 of 3 public tests; 1 not run after the first failure." in text
    assert (
        "Test 2: wrong answer.\nInput:\n```\n5 5\n```\nExpected output:\n```\n10\n```\nActual output:\n```\n11\n```"
        in text
    )
    assert "Test 3" not in text


def test_wrong_result_of_a_call() -> None:
    text = _text(ChatPrompter().refinement(CALL, "", _parent(CALL, TestResult(Status.WA, actual="[1]"))))
    assert "inc(1) must return 2\nActual result:\n```\n[1]\n```" in text


def test_a_failed_assertion_shows_the_value_or_else_its_message() -> None:
    problem = Problem("a", "Define f.", (AssertTest("assert f(1) == 2, 'off'"),), ())
    result = TestResult(Status.WA, actual="3", error_type="AssertionError", error_message="off")
    text = _text(ChatPrompter().refinement(problem, "", _parent(problem, result)))
    assert "wrong answer.\n```\nassert f(1) == 2, 'off'\n```\nActual result:\n```\n3\n```" in text
    text = _text(ChatPrompter().refinement(problem, "", _parent(problem, replace(result, actual=""))))
    assert "Error:\n```\nAssertionError: off\n```" in text


def test_empty_output_is_said_to_be_nothing() -> None:
    text = _text(ChatPrompter().refinement(STDIO, "", _parent(STDIO, TestResult(Status.WA))))
    assert "Actual output:\n(nothing)" in text


def test_runtime_error_shows_type_message_and_lines() -> None:
    result = TestResult(
        Status.RE, error_type="ZeroDivisionError", error_message="division by zero", traceback="line 3, in f\n    1 / 0"
    )
    text = _text(ChatPrompter().refinement(STDIO, "", _parent(STDIO, result)))
    assert "Test 1: runtime error." in text
    assert "line 3, in f\n    1 / 0\nZeroDivisionError: division by zero" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [(Status.TLE, "2 s of CPU time"), (Status.MLE, "64 MiB"), (Status.OLE, "32 KiB")],
)
def test_limits_are_named_with_their_size(status: Status, words: str) -> None:
    text = _text(ChatPrompter().refinement(STDIO, "", _parent(STDIO, TestResult(status))))
    assert words in text


def test_compile_error_is_shown_once() -> None:
    result = TestResult(Status.CE, error_type="SyntaxError", error_message="invalid syntax (line 1)")
    text = _text(ChatPrompter().refinement(STDIO, "", _parent(STDIO, result, result, result)))
    assert text.count("SyntaxError: invalid syntax (line 1)") == 1
    assert "not a valid Python program" in text


def test_an_answer_without_program_is_called_that() -> None:
    parent = _parent(STDIO, TestResult(Status.CE), program=None)
    text = _text(ChatPrompter().refinement(STDIO, "", parent))
    assert "contained no Python code block" in text
    assert "None" not in text
    assert "cut off" not in text


def test_a_cut_off_answer_is_called_that() -> None:
    parent = _parent(STDIO, TestResult(Status.CE), program=None, finish_reason="length")
    assert "cut off at the length limit" in _text(ChatPrompter().refinement(STDIO, "", parent))
    parent = _parent(STDIO, TestResult(Status.CE), program="x = (", finish_reason="length")
    assert "cut off at the length limit" in _text(ChatPrompter().refinement(STDIO, "", parent))


def test_a_parent_that_passed_everything_is_to_be_checked_further() -> None:
    parent = _parent(STDIO, *[TestResult(Status.AC)] * 3)
    text = _text(ChatPrompter().refinement(STDIO, "", parent))
    assert "passed all 3 public tests" in text
    assert "edge cases" in text
    assert "Find the mistake" not in text


def test_a_problem_without_public_tests() -> None:
    problem = replace(STDIO, public_tests=())
    text = _text(ChatPrompter().refinement(problem, "", _parent(problem, status=Status.AC)))
    assert "no public tests" in text
    assert "passed" not in text


def test_only_the_first_failures_are_shown_and_the_evidence_is_bounded() -> None:
    long = "\n".join(str(i) for i in range(5000))
    problem = replace(STDIO, public_tests=tuple(StdioTest(long, f"{i} {long}") for i in range(4)))
    parent = _parent(problem, *[TestResult(Status.WA, actual=long)] * 4)
    prompter = ChatPrompter(feedback_tests=2, feedback_chars=900, example_tests=0)
    text = _text(prompter.refinement(problem, "", parent))
    assert "Test 1:" in text
    assert "Test 2:" in text
    assert "Test 3:" not in text
    assert "characters left out" in text
    frame = len(_text(prompter.refinement(problem, "", _parent(problem, *[TestResult(Status.AC)] * 4))))
    assert len(text) < frame + 900 + 400  # evidence plus headings
    assert "4999" in text  # the tail is kept


def test_a_long_program_is_shortened() -> None:
    parent = _parent(STDIO, TestResult(Status.WA), program="x = 1\n" * 10_000)
    assert len(_text(ChatPrompter(program_chars=500).refinement(STDIO, "", parent))) < 2500


def test_a_program_with_fences_cannot_close_its_block() -> None:
    parent = _parent(STDIO, TestResult(Status.WA), program='print("""\n```\n""")\n')
    assert '````python\nprint("""\n```\n""")\n````' in _text(ChatPrompter().refinement(STDIO, "", parent))


def test_parse_restores_what_the_starter_code_had() -> None:
    answer = "```python\ndef inc(n):\n    return math.floor(n) + 1\n```"
    assert ChatPrompter().parse(answer) == "def inc(n):\n    return math.floor(n) + 1\n"
    assert ChatPrompter().parse(answer, CALL) == "import math\n\ndef inc(n):\n    return math.floor(n) + 1\n"
    assert ChatPrompter().parse("no code", CALL) is None


def test_without_an_entry_point_the_function_that_the_public_tests_call_is_the_program() -> None:
    answer = "```python\ndef inc(n):\n    return n + 1\n```\nDemo:\n```python\nn = int(input())\nprint(inc(n))\n```"
    problem = replace(CALL, entry_point=None, starter_code="")
    assert ChatPrompter().parse(answer, problem) == "def inc(n):\n    return n + 1\n"
    assert "defines what the tests call" in ChatPrompter().read(answer, problem).reason
