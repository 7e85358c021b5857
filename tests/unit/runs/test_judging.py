"""What a growing tree asks of the judge: a wrong question here is a wrong reward."""

from __future__ import annotations

from dataclasses import replace

from team_of_scripts import HALF, PROBLEM, RIGHT, grower, judge, scripted

from mars2.core.problem import CallTest, Limits
from mars2.core.tree import Tree
from mars2.core.verdict import Status


async def test_tests_are_judged_with_the_problems_comparison_and_limits() -> None:
    """A right answer that is off by 1e-7 is right only where the problem's `tolerant` reaches the judge, both times."""
    problem = replace(
        PROBLEM,
        public_tests=(CallTest("f", (1,), 2.0000001),),
        hidden_tests=(CallTest("f", (7,), 8.0000001),),
        comparison="tolerant",
        limits=Limits(cpu_s=3.0),
    )
    sandbox, tree = judge(), Tree("t", problem.id)
    await grower(scripted("a", ("", [RIGHT])), sandbox=sandbox, max_nodes=1).grow(tree, problem)
    (node,) = tree
    assert [suite for _, suite, _ in sandbox.asked] == [problem.public, problem.hidden]
    assert node.score == 1.0
    assert node.hidden_verdict is not None
    assert node.hidden_verdict.accepted


async def test_a_failed_public_test_does_not_end_the_others() -> None:
    """HALF returns 2: wrong for 5, right for 1. Search and feedback see both tests, so the score is 1/2, not 0."""
    problem = replace(PROBLEM, public_tests=PROBLEM.public_tests[::-1])
    tree = Tree("t", problem.id)
    await grower(scripted("a", ("", [HALF])), max_nodes=1).grow(tree, problem)
    (node,) = tree
    assert [test.status for test in node.public_verdict.tests] == [Status.WA, Status.AC]
    assert node.score == 0.5


async def test_a_node_says_why_its_program_was_taken() -> None:
    tree = Tree("t", PROBLEM.id)
    await grower(scripted("a", ("", [RIGHT])), max_nodes=1).grow(tree, PROBLEM)
    (node,) = tree
    assert node.program is not None
    assert node.program_reason
