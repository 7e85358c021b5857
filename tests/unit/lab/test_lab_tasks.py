"""Train and test problems are deterministic, structurally disjoint, and their hidden tests catch single mistakes."""

from itertools import combinations

import numpy as np
import pytest

from mars2.core.errors import ProblemError
from mars2.core.problem import CallTest
from mars2.lab.examples import choose_tests, missing_steps, outcome, single_mistakes
from mars2.lab.specs import draw_spec, is_held_out_pair, write_program
from mars2.lab.tasks import LabProblems, draw_split_spec


@pytest.fixture(scope="module")
def problems() -> LabProblems:
    return LabProblems(num_train=600, num_test=200, seed=3)


def op_pairs(problem) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in combinations(problem.metadata["ops"], 2)}


def test_same_seed_same_problems_other_seed_others(problems):
    again = LabProblems(num_train=600, num_test=200, seed=3)
    assert list(again.load("test")) == list(problems.load("test"))
    assert [p.metadata for p in again.load("train")] == [p.metadata for p in problems.load("train")]
    assert LabProblems(num_train=0, num_test=200, seed=4).load("test") != problems.load("test")


def test_more_problems_begin_with_the_same_ones(problems):
    fewer = LabProblems(num_train=10, num_test=0, seed=3).load("train")
    assert list(fewer) == list(problems.load("train")[:10])


def test_test_combinations_never_occur_in_train(problems):
    """Stronger than disjoint statements: every test problem joins two operations that no train problem joins."""
    train_pairs = set().union(*(op_pairs(p) for p in problems.load("train")))
    for problem in problems.load("test"):
        assert op_pairs(problem) - train_pairs, problem.statement
    skeletons = [{tuple(p.metadata["ops"]) for p in problems.load(split)} for split in ("train", "test")]
    assert not skeletons[0] & skeletons[1]


def test_train_specifications_have_no_held_out_pair():
    rng = np.random.default_rng(0)
    for _ in range(300):
        spec = draw_split_spec(rng, "train")
        assert not any(is_held_out_pair(a.op.name, b.op.name) for a, b in combinations(spec.steps, 2))
        assert draw_split_spec(rng, "test").held_out


def test_thousands_of_different_specifications():
    rng = np.random.default_rng(0)
    assert len({draw_split_spec(rng, "train").statement for _ in range(8000)}) > 4000


def test_shape_of_a_problem(problems):
    for split in ("train", "test"):
        loaded = problems.load(split)
        assert [p.id for p in loaded] == [f"lab/{split}/{i:05d}" for i in range(len(loaded))]
        assert len({p.statement for p in loaded}) == len(loaded)
        for problem in loaded:
            tests = [*problem.public_tests, *problem.hidden_tests]
            assert len(problem.public_tests) == 2
            assert len(problem.hidden_tests) >= 6
            assert all(isinstance(t, CallTest) and t.function == problem.entry_point == "f" for t in tests)
            assert len({repr(t.args) for t in tests}) == len(tests)
            assert 1 <= problem.metadata["depth"] == len(problem.metadata["ops"]) <= 4


def test_hidden_tests_fail_programs_with_one_mistake():
    """A step left out always fails; any other single mistake fails unless 300 fresh arguments cannot tell it either."""
    rng = np.random.default_rng(1)
    missed = checked = 0
    for _ in range(150):
        spec = draw_spec(rng, int(rng.integers(1, 5)))
        tests = choose_tests(spec, rng, num_public=2, num_hidden=6)
        if tests is None:
            continue
        public, hidden = tests
        scope: dict = {}
        exec(write_program(spec.codes), scope)
        assert all(scope["f"](e.argument) == e.expected for e in (*public, *hidden))
        for codes in missing_steps(spec):
            assert any(outcome(codes, e.argument) != e.expected for e in (*public, *hidden))
        from mars2.lab.examples import draw_examples

        fresh = draw_examples(spec, rng, 300)
        for codes in single_mistakes(spec):
            if any(outcome(codes, e.argument) != e.expected for e in fresh):
                checked += 1
                missed += all(outcome(codes, e.argument) == e.expected for e in hidden)
    assert checked > 500
    assert missed / checked < 0.08


def test_steps_without_effect_are_refused():
    rng = np.random.default_rng(0)
    spec = next(s for s in (draw_spec(rng, 2) for _ in range(5000)) if s.statement == "ints: sort; sum")
    assert choose_tests(spec, rng, num_public=2, num_hidden=6) is None


def test_bad_counts_are_refused():
    with pytest.raises(ProblemError, match="num_train must be >= 0, got -1"):
        LabProblems(num_train=-1, num_test=0, seed=0)
