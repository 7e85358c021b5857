"""A page with the reliability of a reward model: estimates against the share right, before and after calibration."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from mars2.reward_model.metrics import Bin

_SIZE, _EDGE = 320, 40  # pixels
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:0 1rem 1rem 0}"
)


def write_page(title: str, rows: Sequence[tuple[str, str]], plots: Mapping[str, Sequence[Bin]]) -> str:
    """One self-contained HTML page.

    Args:
        rows: name and value, shown in a table.
        plots: name → bins of a reliability diagram.
    """
    table = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    figures = "".join(
        f"<figure>{_diagram(bins)}<figcaption>{html.escape(name)}</figcaption></figure>" for name, bins in plots.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(title)}</h1><table>{table}</table><h2>Reliability on held-out problems</h2>"
        "<p>Across: mean estimate of a bin. Up: share of its programs that are right. On the dashed line estimates "
        f"mean what they say; the area of a point is the number of programs.</p>{figures}</html>\n"
    )


def _diagram(bins: Sequence[Bin]) -> str:
    total = max(1, sum(b.num for b in bins))
    span = _SIZE - 2 * _EDGE

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_EDGE + span * x, 1), round(_SIZE - _EDGE - span * y, 1)

    (left, bottom), (right, top) = place(0, 0), place(1, 1)
    marks: list[Any] = [
        f'<svg width="{_SIZE}" height="{_SIZE}" role="img" aria-label="reliability diagram">',
        f'<rect x="{left}" y="{top}" width="{span}" height="{span}" fill="none" stroke="#999"/>',
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{top}" stroke="#999" stroke-dasharray="4"/>',
    ]
    for value in (0.0, 0.5, 1.0):
        x, y = place(value, value)
        marks.append(f'<text x="{x}" y="{bottom + 18}" font-size="12" text-anchor="middle">{value:g}</text>')
        marks.append(f'<text x="{left - 8}" y="{y + 4}" font-size="12" text-anchor="end">{value:g}</text>')
    for b in bins:
        if b.num:
            x, y = place(b.estimate, b.share_right)
            radius = round(3 + 17 * (b.num / total) ** 0.5, 1)
            marks.append(
                f'<circle cx="{x}" cy="{y}" r="{radius}" fill="#1f77b4" fill-opacity="0.6">'
                f"<title>{b.num} programs: estimate {b.estimate:.2f}, right {b.share_right:.2f}</title></circle>"
            )
    return "".join([*marks, "</svg>"])
