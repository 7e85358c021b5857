"""What the policies read, word for word, and how answers are parsed."""

import pytest

from mars2.core.completion import Completion, Message
from mars2.core.problem import CallTest, Problem, StdioTest
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.lab.prompting import LabPrompter

PROBLEM = Problem(
    id="lab/train/00000",
    statement="ints: sort; sum",
    public_tests=(CallTest("f", ([3, 1],), 4), CallTest("f", ([],), 0)),
    hidden_tests=(CallTest("f", ([9],), 9),),
)
PROMPTER = LabPrompter()


def refinement(program: str | None, *tests: TestResult, role: str = "") -> str:
    verdict = Verdict(next((t.status for t in tests if t.status is not Status.AC), Status.AC), tests)
    tree = Tree("t", PROBLEM.id)
    node = tree.add(
        tree.expand(None, "alpha"),
        Result(
            prompt=(),
            completion=Completion("", "stop", "alpha", 0),
            program=program,
            public_verdict=verdict,
            hidden_verdict=None,
            score=0.0,
        ),
    )
    assert node is not None
    (message,) = PROMPTER.refinement(PROBLEM, role, node)
    assert message.role == "user"
    return message.content


def test_first_attempt_shows_statement_and_public_examples_only():
    assert PROMPTER.first_attempt(PROBLEM, "") == (Message("user", "ints: sort; sum\nf([3,1])=4\nf([])=0"),)
    assert PROMPTER.first_attempt(PROBLEM, "solver")[0].content.startswith("solver\nints: sort; sum\n")


@pytest.mark.parametrize(
    ("results", "feedback"),
    [
        ([TestResult(Status.AC), TestResult(Status.WA, actual="[1, 2]")], "f([])=0 not [1,2]"),
        ([TestResult(Status.RE, error_type="TypeError"), TestResult(Status.SKIPPED)], "f([3,1])=4 not TypeError"),
        ([TestResult(Status.TLE), TestResult(Status.SKIPPED)], "f([3,1])=4 not TLE"),
        ([TestResult(Status.CE), TestResult(Status.CE)], "f([3,1])=4 not SyntaxError"),
        ([TestResult(Status.AC), TestResult(Status.AC)], "all pass"),
    ],
)
def test_refinement_shows_program_and_first_failure(results, feedback):
    assert refinement("def f(x):\n    return 0", *results) == f"ints: sort; sum\ndef f(x):\n    return 0\n{feedback}"


def test_refinement_of_an_answer_without_program():
    results = [TestResult(Status.CE), TestResult(Status.SKIPPED)]
    assert refinement(None, *results, role="checker") == "checker\nints: sort; sum\nno program"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("def f(x):\n    return x", "def f(x):\n    return x"),
        ("Here:\n```python\ndef f(x):\n    return x\n```\nDone", "def f(x):\n    return x"),
        ("```\nold\n```\n```py\ndef f(x):\n    return 1\n```", "def f(x):\n    return 1"),
        ("I do not know", None),
        ("", None),
    ],
)
def test_parse(text, program):
    assert PROMPTER.read(text).program == program


def test_only_call_tests_can_be_shown():
    problem = Problem(id="p", statement="s", public_tests=(StdioTest("1", "1"),), hidden_tests=())
    with pytest.raises(TypeError, match="CallTest only, got StdioTest"):
        PROMPTER.first_attempt(problem, "")
