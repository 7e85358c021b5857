"""Lists, trees, arguments changed in place and the operations of a class, as LeetCode passes and compares them."""

from __future__ import annotations

from typing import Any

import pytest

from mars2.sandbox.worker.program import typed_call

REVERSE = """
class Solution:
    def run(self, head: ListNode) -> ListNode:
        before = None
        while head:
            head.next, before, head = before, head, head.next
        return before
"""
INVERT = """
class Solution:
    def run(self, root: TreeNode) -> TreeNode:
        if root:
            root.left, root.right = self.run(root.right), self.run(root.left)
        return root
"""
OWN = "class ListNode:\n    def __init__(self, x):\n        self.val, self.next = x, None\n"
OWN_TREE = """
class TreeNode:
    def __init__(self, val, left, right):
        self.val, self.left, self.right = val, left, right
"""
SPLIT = """
class Solution:
    def run(self, head: ListNode) -> list[ListNode]:
        parts = []
        while head:
            parts, head = [*parts, ListNode(head.val)], head.next
        return parts
"""
MERGE = """
class Solution:
    def run(self, lists: list[ListNode]) -> ListNode:
        values = []
        for node in lists:
            while node:
                values, node = [*values, node.val], node.next
        head = None
        for value in sorted(values, reverse=True):
            head = ListNode(value, head)
        return head
"""
FLATTEN = """
class Solution:
    def run(self, root: TreeNode) -> None:
        root.left, root.right = None, root.left
"""
ROTATE = "class Solution:\n    def run(self, nums, k):\n        nums[:] = nums[-k:] + nums[:-k]\n"
NEW_LIST = "class Solution:\n    def run(self, nums, k):\n        return nums[-k:] + nums[:-k]\n"


def _run(program: str, types: tuple[str, ...], *args: Any) -> Any:
    namespace: dict[str, Any] = {}
    typed_call.provide(namespace)
    exec(program, namespace)
    return typed_call.call(namespace, namespace["Solution"]().run, types, args)


@pytest.mark.parametrize(
    ("program", "types", "args", "wanted"),
    [
        (REVERSE, ("ListNode", "ListNode"), ([1, 2, 3],), [3, 2, 1]),
        (REVERSE, ("ListNode", "ListNode"), ([],), []),
        (REVERSE, ("ListNode", "ListNode"), (None,), []),
        (OWN + REVERSE, ("ListNode", "ListNode"), ([1, 2],), [2, 1]),
        (INVERT, ("TreeNode", "TreeNode"), ([4, 2, 7, 1, 3, 6],), [4, 7, 2, None, 6, 3, 1]),
        (OWN_TREE + INVERT, ("TreeNode", "TreeNode"), ([1, None, 2],), [1, 2]),
        (INVERT, ("TreeNode", "TreeNode"), ([],), []),
        (SPLIT, ("ListNode", "[ListNode]"), ([1, 2],), [[1], [2]]),
        (MERGE, ("[ListNode]", "ListNode"), ([[1, 4], [], [2]],), [1, 2, 4]),
        (FLATTEN, ("TreeNode", "0"), ([1, 2],), [1, None, 2]),
        (ROTATE, ("", "", "0"), ([1, 2, 3], 1), [3, 1, 2]),
        (NEW_LIST, ("", "", "0"), ([1, 2, 3], 1), [1, 2, 3]),
    ],
)
def test_values_are_converted_both_ways(program: str, types: tuple[str, ...], args: Any, wanted: Any) -> None:
    assert _run(program, types, *args) == wanted


def test_a_plain_list_is_no_linked_list() -> None:
    with pytest.raises(TypeError, match="a list was returned where a node"):
        _run("class Solution:\n    def run(self, head): return [2, 1]\n", ("ListNode", "ListNode"), [1, 2])


def test_a_returned_cycle_ends() -> None:
    program = "class Solution:\n    def run(self, head):\n        head.next = head\n        return head\n"
    with pytest.raises(ValueError, match="cycle"):
        _run(program, ("ListNode", "ListNode"), [1])


def test_each_operation_of_a_class_gives_what_it_returned_at_that_time() -> None:
    program = """
class Log:
    def __init__(self, first): self.kept = [first]
    def add(self, item):
        self.kept.append(item)
        return self.kept
"""
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    args = (["Log", "add", "add"], [[1], [2], [3]])
    assert typed_call.operate(namespace, "Log", ("operations",), args) == [None, [1, 2], [1, 2, 3]]


def test_a_class_is_made_from_a_tree() -> None:
    program = "class Top:\n    def __init__(self, root): self.root = root\n    def value(self): return self.root.val\n"
    namespace: dict[str, Any] = {}
    typed_call.provide(namespace)
    exec(program, namespace)
    args = (["Top", "value"], [[[7, 3]], []])
    assert typed_call.operate(namespace, "Top", ("operations", "TreeNode"), args) == [None, 7]
