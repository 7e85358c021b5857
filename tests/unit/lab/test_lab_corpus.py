"""The warm-start corpus: its share of mistakes, its separation from the test problems, its prompts."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from mars2.core.problem import CallTest, Problem
from mars2.lab.corpus import break_syntax, draw_document, write_imperfectly
from mars2.lab.examples import draw_examples
from mars2.lab.ops import BY_NAME
from mars2.lab.policies import POLICIES
from mars2.lab.prompting import LabPrompter
from mars2.lab.specs import Spec, Step, is_held_out_pair, write_program
from mars2.lab.tasks import draw_split_spec

ALPHA = POLICIES["alpha"]


def ops_in(statement: str) -> list[str]:
    """Operation names of a statement, its parameters removed."""
    steps = statement.split(": ", 1)[1].split("; ")
    return [
        next(n for n in BY_NAME if any(Step(BY_NAME[n], k).phrase == s for k in BY_NAME[n].parameters)) for s in steps
    ]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=lambda p: p.name)
def test_no_document_joins_a_held_out_pair(policy):
    rng = np.random.default_rng(0)
    for _ in range(300):
        lines = draw_document(policy, rng).prompt[0].content.split("\n")
        statement = next(line for line in lines if ": " in line)
        assert not any(is_held_out_pair(a, b) for a, b in combinations(ops_in(statement), 2)), statement


def test_prompts_are_the_prompters_own():
    """A first-attempt document without a role reads exactly as `LabPrompter` would ask it."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        state = rng.bit_generator.state
        document = draw_document(ALPHA, rng)
        after = rng.bit_generator.state
        rng.bit_generator.state = state
        spec = draw_split_spec(rng, "train")
        tests = tuple(CallTest("f", (e.argument,), e.expected) for e in draw_examples(spec, rng, 2))
        rng.bit_generator.state = after
        problem = Problem("p", spec.statement, tests, ())
        found += document.prompt == LabPrompter().first_attempt(problem, "")
    assert 90 < found < 150  # 0.65 first attempts, 0.9 of them without a role


def share_right(policy, family_op: str, care: float) -> float:
    spec = Spec("ints", (Step(BY_NAME[family_op], "3"), Step(BY_NAME["sum"], "")))
    rng = np.random.default_rng(0)
    right = write_program(spec.codes)
    return float(np.mean([write_imperfectly(spec, policy, rng, care=care) == right for _ in range(4000)]))


def test_mistakes_are_as_frequent_as_documented():
    slips = ALPHA.slip_rates
    expected = (1 - slips["lists"]) ** 2 * (1 - ALPHA.careless_rate)
    assert share_right(ALPHA, "drop", 1.0) == pytest.approx(expected, abs=0.03)
    expected = (1 - slips["flow"]) * (1 - slips["lists"]) * (1 - ALPHA.careless_rate)
    assert share_right(ALPHA, "until above", 1.0) == pytest.approx(expected, abs=0.03)
    assert share_right(ALPHA, "drop", 0.0) == 1.0
    clean = replace(ALPHA, slip_rates=dict.fromkeys(slips, 0.0), careless_rate=0.0)
    assert share_right(clean, "until above", 1.0) == 1.0


def test_the_policies_are_strong_in_different_places():
    alpha, beta = POLICIES["alpha"], POLICIES["beta"]
    assert alpha.architecture != beta.architecture
    assert alpha.slip_rates["lists"] < beta.slip_rates["lists"]
    assert alpha.slip_rates["strings"] > beta.slip_rates["strings"]


def test_refinements_show_a_program_and_what_happened():
    rng = np.random.default_rng(0)
    prompts = [draw_document(ALPHA, rng).prompt[0].content for _ in range(400)]
    refinements = [text for text in prompts if "def f(x)" in text]
    assert 0.25 < len(refinements) / len(prompts) < 0.45
    assert all(text.endswith("all pass") or " not " in text.split("\n")[-1] for text in refinements)
    assert any(text.endswith("Error") for text in refinements)
    assert any(text.endswith("all pass") for text in refinements)


def test_broken_syntax_does_not_compile():
    rng = np.random.default_rng(0)
    program = "def f(x):\n    x = x[1:]\n    x = [a for a in x if a > 3]\n    return sum(x)"
    for _ in range(50):
        with pytest.raises(SyntaxError):
            compile(break_syntax(program, rng), "p", "exec")


def test_same_random_stream_same_documents():
    first = [draw_document(ALPHA, np.random.default_rng(5)) for _ in range(3)]
    assert first == [draw_document(ALPHA, np.random.default_rng(5)) for _ in range(3)]
