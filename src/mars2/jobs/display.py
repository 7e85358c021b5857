"""How results show themselves in a notebook: tables, programs and trees as HTML. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from mars2.core.tree import Node, Tree
from mars2.core.verdict import Verdict

SCORES = {"pass_at_1": "Pass@1", "pass_at_1_mcts": "Pass@1(MCTS)", "pass_at_n": "Pass@N"}
"""How the scores of an evaluation are called."""

_GAP, _STEP, _RADIUS, _MARGIN = 34, 46, 11, 18  # of the drawing, in pixels
_PASSED, _PARTLY, _FAILED, _NO_PROGRAM = "#2e7d32", "#f9a825", "#c62828", "#9e9e9e"


def table(rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
    """An HTML table; cells are shown as text."""
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in header)}</tr>" if header else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def facts(values: Mapping[str, object]) -> str:
    """Names and values, one a row; those that are None are left out."""
    return table((name, value) for name, value in values.items() if value is not None)


def code(program: str) -> str:
    return f'<pre style="text-align:left"><code>{escape(program)}</code></pre>'


def verdict_line(verdict: Verdict) -> str:
    """For example "WA, 2 of 3 tests passed"."""
    if not verdict.tests:
        return f"{verdict.status}, no tests"
    return f"{verdict.status}, {verdict.num_passed} of {len(verdict.tests)} tests passed"


def tree_svg(tree: Tree, chosen: int | None = None) -> str:
    """The tree from the root downwards. Green passes all public tests, yellow some, red none, grey has no program.

    The chosen node has a ring. A node's title says who wrote it and what the public tests said.
    """
    x = _columns(tree)
    place = {node.id: (_MARGIN + _GAP * x[node.id], _MARGIN + _STEP * node.depth) for node in tree}
    root = (_MARGIN + _GAP * x[None], _MARGIN)
    lines: list[str] = []
    circles = [f'<circle cx="{root[0]:g}" cy="{root[1]:g}" r="3" fill="#616161"/>']
    for node in tree:
        cx, cy = place[node.id]
        px, py = root if node.parent_id is None else place[node.parent_id]
        lines.append(f'<line x1="{px:g}" y1="{py:g}" x2="{cx:g}" y2="{cy:g}" stroke="#bdbdbd"/>')
        ring = ' stroke="#1565c0" stroke-width="4"' if node.id == chosen else ""
        title = f"{node.id}: {node.agent}, {verdict_line(node.public_verdict)}"
        circles.append(
            f'<g><title>{escape(title)}</title><circle cx="{cx:g}" cy="{cy:g}" r="{_RADIUS}" fill="{_colour(node)}"'
            f'{ring}/><text x="{cx:g}" y="{cy + 4:g}" text-anchor="middle" font-size="11" fill="#ffffff">{node.id}'
            "</text></g>"
        )
    width = 2 * _MARGIN + _GAP * max(x.values(), default=0.0)
    height = 2 * _MARGIN + _STEP * max((node.depth for node in tree), default=0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" role="img">'
        f"{''.join(lines)}{''.join(circles)}</svg>"
    )


def _columns(tree: Tree) -> dict[int | None, float]:
    """Node id → column. Leaves stand side by side, parents above the middle of their children; None is the root."""
    column: dict[int | None, float] = {}
    num_leaves = 0
    waiting: list[tuple[int | None, bool]] = [(None, False)]
    while waiting:
        node_id, are_children_placed = waiting.pop()
        children = tree.children(node_id)
        if are_children_placed:
            column[node_id] = (column[children[0]] + column[children[-1]]) / 2
        elif children:
            waiting.append((node_id, True))
            waiting += [(child, False) for child in reversed(children)]
        else:
            column[node_id] = num_leaves
            num_leaves += 1
    return column


def _colour(node: Node) -> str:
    if node.program is None:
        return _NO_PROGRAM
    if node.public_verdict.accepted:
        return _PASSED
    return _PARTLY if node.public_verdict.num_passed else _FAILED
