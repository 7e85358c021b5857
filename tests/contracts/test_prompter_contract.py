"""What every prompter promises. A new one is added to `PROMPTERS` and passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.completion import Completion, Prompt
from mars2.core.problem import CallTest, Problem
from mars2.core.protocols import Prompter
from mars2.core.tree import Node
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.lab.prompting import LabPrompter
from mars2.prompting.chat import ChatPrompter

PROMPTERS: dict[str, Prompter] = {"chat": ChatPrompter(), "lab": LabPrompter()}
HIDDEN = 7312845  # stands in hidden tests only
PROBLEM = Problem(
    id="add",
    statement="Give back x with 1 added.",
    public_tests=(CallTest("f", (1,), 2), CallTest("f", (5,), 6)),
    hidden_tests=(CallTest("f", (HIDDEN,), HIDDEN + 1),),
    entry_point="f",
)
PROGRAM = "def f(x):\n    return x + 2"
WRONG = Verdict(Status.WA, (TestResult(Status.AC, actual="2"), TestResult(Status.WA, actual="7007")))
RIGHT = Verdict(Status.AC, (TestResult(Status.AC), TestResult(Status.AC)))

prompters = pytest.mark.parametrize("prompter", PROMPTERS.values(), ids=PROMPTERS)


def parent(program: str | None = PROGRAM, public: Verdict = WRONG, hidden: Verdict | None = None) -> Node:
    return Node(
        id=0,
        expansion_id=0,
        parent_id=None,
        agent="a",
        depth=1,
        prompt=(),
        completion=Completion(f"```python\n{program}\n```", "stop", "p", 0),
        program=program,
        public_verdict=public,
        hidden_verdict=hidden,
        score=public.fraction_passed,
    )


def text_of(prompt: Prompt) -> str:
    return "\n".join(message.content for message in prompt)


@prompters
def test_a_first_attempt_ends_with_the_users_message_and_shows_the_statement(prompter: Prompter) -> None:
    prompt = prompter.first_attempt(PROBLEM, "")
    assert prompt[-1].role == "user"
    assert PROBLEM.statement in text_of(prompt)


@prompters
def test_the_role_is_shown_in_both_kinds_of_prompt_and_no_role_leaves_no_trace(prompter: Prompter) -> None:
    role = "checker-of-borders"
    for prompt in (prompter.first_attempt(PROBLEM, role), prompter.refinement(PROBLEM, role, parent())):
        assert text_of(prompt).count(role) == 1
    for prompt in (prompter.first_attempt(PROBLEM, ""), prompter.refinement(PROBLEM, "", parent())):
        assert all(message.content.strip() for message in prompt)


@prompters
def test_hidden_tests_change_no_prompt(prompter: Prompter) -> None:
    without = replace(PROBLEM, hidden_tests=())
    first, refined = prompter.first_attempt(PROBLEM, "r"), prompter.refinement(PROBLEM, "r", parent())
    assert first == prompter.first_attempt(without, "r")
    assert refined == prompter.refinement(without, "r", parent())
    assert str(HIDDEN) not in text_of(first) + text_of(refined)


@prompters
def test_what_hidden_tests_said_of_the_parent_changes_no_prompt(prompter: Prompter) -> None:
    evidence = TestResult(Status.RE, actual=str(HIDDEN), error_message=str(HIDDEN), traceback=str(HIDDEN))
    for public in (RIGHT, WRONG):
        plain = prompter.refinement(PROBLEM, "", parent(public=public))
        for hidden in (RIGHT, Verdict(Status.RE, (evidence,))):
            assert prompter.refinement(PROBLEM, "", parent(public=public, hidden=hidden)) == plain


@prompters
def test_a_refinement_shows_the_task_the_parents_program_and_what_it_did_wrong(prompter: Prompter) -> None:
    text = text_of(prompter.refinement(PROBLEM, "", parent()))
    assert PROBLEM.statement in text
    assert PROGRAM in text
    assert "7007" in text, "what the failed public test got instead"
    assert text_of(prompter.refinement(PROBLEM, "", parent(public=RIGHT))) != text


@prompters
def test_a_first_attempt_shows_nothing_of_another(prompter: Prompter) -> None:
    prompter.refinement(PROBLEM, "", parent())
    text = text_of(prompter.first_attempt(PROBLEM, ""))
    assert PROGRAM not in text
    assert "7007" not in text


@prompters
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("program", [PROGRAM, None, "", "é\x00 not Python (", "x = 1\n" * 30_000])
def test_any_parent_can_be_refined(prompter: Prompter, status: Status, program: str | None) -> None:
    for tests in ((), (TestResult(status),), (TestResult(status, actual="\ud800" + "9" * 100_000),) * 2):
        prompt = prompter.refinement(PROBLEM, "", parent(program, Verdict(status, tests)))
        assert prompt[-1].role == "user"
        assert PROBLEM.statement in text_of(prompt)


@prompters
@pytest.mark.parametrize("text", ["", "   \n", "I do not know.", "The answer is 4, or so.", "```python\n```"])
def test_an_answer_without_code_has_no_program(prompter: Prompter, text: str) -> None:
    assert prompter.read(text).program is None
    assert prompter.read(text, PROBLEM).program is None


@prompters
def test_the_program_of_a_fenced_answer_is_found_and_comes_back_in_the_refinement(prompter: Prompter) -> None:
    program = prompter.read(f"Here it is.\n\n```python\n{PROGRAM}\n```\n", PROBLEM).program
    assert program is not None
    assert program.strip() == PROGRAM
    assert program.strip() in text_of(prompter.refinement(PROBLEM, "", parent(program)))
    again = prompter.read(f"```python\n{program}\n```", PROBLEM).program
    assert again is not None
    assert again.strip() == program.strip(), "the program graded is the program fed back"


PIECES = st.sampled_from(
    ["```", "```python\n", "~~~", "def f(x):", "\n", "    return x", "<think>", "</think>", "\ud800"]
)
ANSWERS = st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join)


@prompters
@given(text=ANSWERS)
def test_any_answer_is_parsed(prompter: Prompter, text: str) -> None:
    for problem in (None, PROBLEM):
        program = prompter.read(text, problem).program
        assert program is None or program.strip()
        assert prompter.read(text, problem).program == program
