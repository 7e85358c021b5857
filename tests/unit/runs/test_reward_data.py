"""Which programs have labels, how problems are dealt out, what a reward model is worth in the choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mars2.core.completion import Completion
from mars2.core.problem import CallTest, Problem
from mars2.core.tree import Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.reward_model.scripted import ScriptedRewardModel
from mars2.runs.measuring.reward_data import label, labelled_programs, split_problems
from mars2.runs.measuring.selection_gain import selection_gain

PROBLEM = Problem("p", "Say.", (CallTest("f", (1,), 1),), (CallTest("f", (2,), 2),))
AC, WA = (Verdict(s, (TestResult(s),)) for s in (Status.AC, Status.WA))


def tree_of(problem_id: str, *nodes: tuple[str | None, Verdict, Verdict | None]) -> Tree:
    tree = Tree(f"tree/{problem_id}", problem_id)
    for program, public, hidden in nodes:
        tree.add(
            tree.expand(None, "a"),
            Result(
                prompt=(),
                completion=Completion("", "stop", "policy", 0),
                program=program,
                public_verdict=public,
                hidden_verdict=hidden,
                score=0.0,
            ),
        )
    return tree


def test_a_label_is_the_hidden_verdict_or_nothing() -> None:
    tree = tree_of("p", ("a", AC, AC), ("b", AC, WA), ("c", WA, None), ("d", AC, None), (None, WA, None))
    assert [label(node, PROBLEM) for node in tree] == [True, False, False, None, None]
    assert label(tree.nodes[0], replace(PROBLEM, hidden_tests=())) is None
    found = labelled_programs([tree, tree_of("p", ("a  # again", AC, AC), ("e", WA, None))], {"p": PROBLEM})
    assert found == {"p": [("a", True), ("b", False), ("c", False), ("e", False)]}


def test_a_problem_is_in_one_part_and_stays_there() -> None:
    ids = [f"p{i}" for i in range(1000)]
    parts = split_problems(ids, (0.1, 0.1, 0.2), seed=0)
    assert sorted(i for part in parts.values() for i in part) == sorted(ids)
    assert [len(parts[p]) / 1000 for p in ("valid", "calibration", "test")] == pytest.approx([0.1, 0.1, 0.2], abs=0.04)
    fewer = split_problems(ids[::2], (0.1, 0.1, 0.2), seed=0)
    assert all(set(fewer[part]) <= set(parts[part]) for part in parts)
    assert split_problems(ids, (0.1, 0.1, 0.2), seed=1) != parts


def test_selection_gain_by_hand() -> None:
    problems = {name: replace(PROBLEM, id=name) for name in "pqrs"}
    trees = [
        tree_of("p", ("bad", AC, WA), ("good", AC, AC)),  # public tests alone take the earliest: wrong
        tree_of("q", ("good", AC, AC), ("bad", AC, WA)),
        tree_of("r", ("bad", AC, WA), ("worse", WA, None)),
        tree_of("s", ("x", AC, None), ("good", AC, AC)),  # a label is not known: left out
    ]
    model = ScriptedRewardModel(lambda problem, program: 0.9 if program == "good" else 0.1)
    gain = selection_gain(trees, problems, model)
    assert gain is not None
    assert (gain.num_problems, gain.num_trees, gain.num_open_trees) == (3, 3, 2)
    assert (gain.by_public_tests.mean, gain.by_reward_model.mean) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert gain.gain.mean == pytest.approx(1 / 3)
    assert gain.best_possible == pytest.approx(2 / 3)
    misled = selection_gain(trees, problems, ScriptedRewardModel(lambda _, program: 0.1 if program == "good" else 0.9))
    assert misled is not None
    assert misled.gain.mean == pytest.approx(-1 / 3)
    assert selection_gain([], problems, model) is None
