"""Which values of a LeetCode problem are lists and trees, read from the code to complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from mars2.core.errors import ProblemError
from mars2.core.problem import CallTest, Test
from mars2.problems.jsonl import read_jsonl, write_jsonl
from mars2.problems.livecodebench import livecodebench
from mars2.problems.schema import problem_from_data
from mars2.problems.signature import kind_of, signature, with_types

REVERSE = "class Solution:\n    def rev(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        "
PYTHON_2 = '''class Solution(object):
    def merge(self, lists, k):
        """
        :type lists: List[ListNode]
        :type k: int
        :rtype: ListNode
        """
'''
IN_PLACE = "class Solution:\n    def rotate(self, nums: List[int], k: int) -> None:\n"
SECOND = "class Solution:\n    def put(self, k: int, nums: List[int]) -> None:\n"
FLATTEN = "class Solution:\n    def flatten(self, root: Optional[TreeNode]) -> None:\n"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("ListNode", "ListNode"),
        ("Optional[TreeNode]", "TreeNode"),
        ("ListNode|None", "ListNode"),
        ("Union[ListNode,None]", "ListNode"),
        ("List[Optional[ListNode]]", "[ListNode]"),
        ("list[TreeNode|None]", "[TreeNode]"),
        ("List[List[int]]", ""),
        ("Optional[int]", ""),
        ("", ""),
    ],
)
def test_annotations_name_lists_and_trees(annotation: str, kind: str) -> None:
    assert kind_of(annotation) == kind


@pytest.mark.parametrize("annotation", ["Node", "Optional[Node]", "List[NestedInteger]", "dict[str,ListNode]"])
def test_other_objects_are_refused_by_name(annotation: str) -> None:
    with pytest.raises(ValueError, match="objects cannot be made"):
        kind_of(annotation)


@pytest.mark.parametrize(
    ("code", "test", "wanted"),
    [
        (REVERSE, CallTest("rev", ([1, 2],), [2, 1]), (("ListNode", "ListNode"), [2, 1])),
        (REVERSE, CallTest("rev", ([],), None), (("ListNode", "ListNode"), [])),
        (PYTHON_2, CallTest("merge", ([[1], [2]], 1), [1, 2]), (("[ListNode]", "", "ListNode"), [1, 2])),
        (IN_PLACE, CallTest("rotate", ([1, 2, 3], 1), [3, 1, 2]), (("", "", "0"), [3, 1, 2])),
        (SECOND, CallTest("put", (1, [2]), [1]), (("", "", "1"), [1])),
        (FLATTEN, CallTest("flatten", ([1, 2],), [1, None, 2, None]), (("TreeNode", "0"), [1, None, 2])),
        (IN_PLACE, CallTest("rotate", ([1], 1), None), ((), None)),
        (REVERSE, CallTest("other", ([1],), [1]), ((), [1])),
    ],
)
def test_calls_get_the_types_that_the_starter_code_declares(code: str, test: CallTest, wanted: object) -> None:
    (typed,) = with_types((test,), code)
    assert isinstance(typed, CallTest)
    assert (typed.types, typed.expected) == wanted


def test_a_definition_whose_body_is_missing_is_read() -> None:
    code = "class Solution:\n    def a(self) -> int:\n\n    def b(self, x: int) -> int:\n        # your code here\n\n"
    found = signature(code, "b")
    assert found is not None
    assert (found.parameters, found.returns, found.is_method) == (("x",), "int", True)


def test_rows_of_a_benchmark_are_typed() -> None:
    row = {
        "question_id": "1",
        "question_content": "Reverse.",
        "starter_code": REVERSE,
        "contest_date": "2025-01-01",
        "metadata": '{"func_name": "rev"}',
        "public_test_cases": '[{"input": "[1, 2]", "output": "[2, 1]", "testtype": "functional"}]',
    }
    (problem,) = livecodebench().load("rows", [row]).problems
    assert problem.public_tests == (CallTest("rev", ([1, 2],), [2, 1], ("ListNode", "ListNode")),)


def test_types_are_kept_in_files(tmp_path: Path) -> None:
    data = {"id": "p", "statement": "Rotate.", "entry_point": "rotate"}
    call = {"args": [[1, 2, 3], 1], "expected": [3, 1, 2], "types": ["", "", "0"]}
    problem = problem_from_data(data | {"tests": {"public": [call]}}, "p")
    tests: tuple[Test, ...] = (CallTest("rotate", ([1, 2, 3], 1), [3, 1, 2], ("", "", "0")),)
    assert problem.public_tests == tests
    write_jsonl([problem], tmp_path / "p.jsonl")
    assert read_jsonl(tmp_path / "p.jsonl").problems[0].public_tests == tests


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["", "ListNode"], "give one for each argument and one for the result: 3, got 2"),
        (["", "", "2"], '"2" is no argument'),
        (["", "Tree", ""], 'unknown type "Tree"'),
        (["operations"], "operations take two lists of one length"),
    ],
)
def test_types_that_do_not_fit_are_named(types: list[str], message: str) -> None:
    call = {"args": [[1], 1], "expected": [1], "types": types}
    data = {"id": "p", "statement": "x", "entry_point": "f", "tests": {"public": [call]}}
    with pytest.raises(ProblemError, match=message):
        problem_from_data(data, "p")
