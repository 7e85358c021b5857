"""What every reward model does: one probability for each program, the same for the same question, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mars2.core.problem import AssertTest, CallTest, Problem, StdioTest
from mars2.core.protocols import RewardModel
from mars2.reward_model.scripted import ScriptedRewardModel

PROBLEM = Problem("p", "Add one to x.", (CallTest("f", (1,), 2),), (CallTest("f", (5,), 6),))
PROGRAMS = ["def f(x):\n    return x + 1", "def f(x):\n    return x", "", "é\x00 not Python (", "x = 1\n" * 2000]


def scripted(folder: Path) -> RewardModel:
    return ScriptedRewardModel(lambda problem, program: len(program) % 10 / 10)


def transformers(folder: Path) -> RewardModel:
    import torch

    from mars2.lab.policies import POLICIES, build_model
    from mars2.lab.tokenizer import END_ID, build_tokenizer
    from mars2.reward_model.model import TransformersRewardModel

    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    small = replace(POLICIES["alpha"], hidden_size=32, num_layers=1, intermediate_size=32)
    build_model(small, len(tokenizer), END_ID).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return TransformersRewardModel(str(folder), max_tokens=128)


@pytest.fixture(params=[scripted, transformers])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> RewardModel:
    make: Callable[[Path], RewardModel] = request.param
    return make(tmp_path)


def test_one_probability_for_each_program_in_order(model: RewardModel) -> None:
    scores = model.score(PROBLEM, PROGRAMS)
    assert len(scores) == len(PROGRAMS)
    assert all(type(score) is float and 0 <= score <= 1 for score in scores)
    assert model.score(PROBLEM, PROGRAMS[::-1]) == pytest.approx(scores[::-1], abs=1e-5)
    assert model.score(PROBLEM, PROGRAMS[:1]) == pytest.approx(scores[:1], abs=1e-5)


def test_the_same_question_has_the_same_answer(model: RewardModel) -> None:
    assert model.score(PROBLEM, PROGRAMS) == model.score(PROBLEM, PROGRAMS)


def test_hidden_tests_do_not_matter(model: RewardModel) -> None:
    assert model.score(PROBLEM, PROGRAMS) == model.score(replace(PROBLEM, hidden_tests=()), PROGRAMS)


def test_no_programs_no_answers_and_any_problem_will_do(model: RewardModel) -> None:
    assert model.score(PROBLEM, []) == []
    odd = replace(PROBLEM, statement="word " * 5000, public_tests=(StdioTest("1\n", "2"), AssertTest("assert f(1)")))
    assert len(model.score(odd, PROGRAMS)) == len(PROGRAMS)
