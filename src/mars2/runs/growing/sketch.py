"""A tree in a few lines of text, for the event log: how one tree of each round went can be read without a viewer."""

from __future__ import annotations

from collections.abc import Mapping

from mars2.core.tree import Node, Tree


def sketch(tree: Tree, rewards: Mapping[int, float]) -> str:
    """One line a node, children indented below their parent: number, agent, verdict, score, reward."""
    children: dict[int | None, list[Node]] = {}
    for node in tree:
        children.setdefault(node.parent_id, []).append(node)
    lines: list[str] = []
    waiting = [(node, 0) for node in reversed(children.get(None, []))]
    while waiting:
        node, depth = waiting.pop()
        verdict = node.hidden_verdict if node.public_verdict.accepted and node.hidden_verdict else node.public_verdict
        what = f"{node.id} {node.agent} {verdict.status.value} score {node.score:.2f} reward {rewards[node.id]:.3g}"
        lines.append("  " * depth + what)
        waiting += [(child, depth + 1) for child in reversed(children.get(node.id, []))]
    return "\n".join(lines)
