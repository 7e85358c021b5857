"""Calls whose values JSON cannot write: LeetCode's lists and trees, arguments changed in place, a class's operations.

`types` is that of `mars2.core.problem.CallTest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..encoding import decode, encode

OPERATIONS = "operations"
_MOST_NODES = 1_000_000  # of a returned list or tree


def provide(namespace: dict[str, Any]) -> None:
    """Give a program LeetCode's classes, new ones for each test. It may define its own in their place."""

    class ListNode:
        def __init__(self, val: Any = 0, next: Any = None) -> None:
            self.val, self.next = val, next

    class TreeNode:
        def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
            self.val, self.left, self.right = val, left, right

    namespace.update(ListNode=ListNode, TreeNode=TreeNode)


def call(namespace: dict[str, Any], function: Callable[..., Any], types: tuple[str, ...], args: tuple[Any, ...]) -> Any:
    """What `function(*args)` is compared by.

    Raises:
        TypeError: the function returned something else than the type that is asked for.
    """
    *kinds, result = types
    given = [_made(namespace, kind, arg) for kind, arg in zip(kinds, args, strict=True)]
    value = function(*given)
    if result.isdecimal():
        return _plain(kinds[int(result)], given[int(result)])
    return _plain(result, value)


def operate(namespace: dict[str, Any], name: str, types: tuple[str, ...], args: tuple[Any, ...]) -> list[Any]:
    """The result of each operation of class `name`, the first of which makes the object; `types` follow OPERATIONS."""
    made: Any = None
    results: list[Any] = []
    for operation, given in zip(*args, strict=True):
        if made is None:
            kinds = types[1:] or ("",) * len(given)
            made = namespace[name](*[_made(namespace, kind, arg) for kind, arg in zip(kinds, given, strict=True)])
            results.append(None)
        else:
            results.append(decode(encode(getattr(made, operation)(*given))))  # as it is now: it may change later
    return results


def _made(namespace: dict[str, Any], kind: str, value: Any) -> Any:
    """`value` as an object of type `kind`, of the program's own class if it has one."""
    if kind.startswith("["):
        return [_made(namespace, kind[1:-1], item) for item in value]
    match kind:
        case "ListNode":
            head = None
            for item in reversed(value or ()):
                node = _node(namespace["ListNode"], item)
                node.next, head = head, node
            return head
        case "TreeNode":
            return _tree(namespace["TreeNode"], value or ())
        case _:
            return value


def _tree(kind: Any, values: Any) -> Any:
    """The tree of values in level order, with None where a child is missing."""
    nodes = [None if value is None else _node(kind, value) for value in values]
    children = iter(nodes[1:])
    for node in nodes:
        if node is not None:
            node.left, node.right = next(children, None), next(children, None)
    return nodes[0] if nodes else None


def _node(kind: Any, value: Any) -> Any:
    """A node; a class of the program's own may want to be told its children too."""
    try:
        node = kind(value)
    except TypeError:
        node = kind.__new__(kind)
        node.val = value
    return node


def _plain(kind: str, value: Any) -> Any:
    if kind.startswith("["):
        return [_plain(kind[1:-1], item) for item in value]
    match kind:
        case "ListNode":
            return _values_of_list(value)
        case "TreeNode":
            return _values_of_tree(value)
        case _:
            return value


def _values_of_list(node: Any) -> list[Any]:
    values: list[Any] = []
    while node is not None:
        _check(node, ("val", "next"), len(values))
        values.append(node.val)
        node = node.next
    return values


def _values_of_tree(root: Any) -> list[Any]:
    level, values = [root], list[Any]()
    for node in level:  # which grows
        if node is None:
            values.append(None)
            continue
        _check(node, ("val", "left", "right"), len(values))
        values.append(node.val)
        level += (node.left, node.right)
    while values and values[-1] is None:
        values.pop()
    return values


def _check(node: Any, attributes: tuple[str, ...], count: int) -> None:
    if not all(hasattr(node, name) for name in attributes):
        raise TypeError(f"a {type(node).__name__} was returned where a node with {', '.join(attributes)} is asked for")
    if count >= _MOST_NODES:
        raise ValueError(f"the returned nodes have a cycle, or are more than {_MOST_NODES:,}")
