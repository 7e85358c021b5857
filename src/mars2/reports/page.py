"""Writes the page: one HTML file with its style, scripts and data inside. It loads nothing from a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from importlib import resources
from pathlib import Path
from typing import Any

from mars2.core.files import atomic
from mars2.reports.reading import RunReader
from mars2.reports.run_data import run_data
from mars2.reports.tree_data import trees_data

_SCRIPTS = (
    "elements.js",
    "results.js",
    "charts.js",
    "comparison.js",
    "tree_drawing.js",
    "node_view.js",
    "tree_viewer.js",
    "main.js",
    "live.js",
)


def write_report(folder: Path, run: RunReader) -> Path:
    """Write `report.html` into a run's folder, replacing an older one. The run need not be finished.

    Args:
        folder: the run's folder; its `summary.json` is used if there is one.
        run: the run's open store.

    Returns:
        Path of the page.
    """
    data = page_data(folder, run)
    path = folder / "report.html"
    with atomic(path) as draft:
        draft.write_bytes(render(data["name"], embeddable_json(data)).encode("utf-8", "replace"))
    return path


def page_data(folder: Path, run: RunReader) -> dict[str, Any]:
    """Everything the page shows."""
    trees, problems = trees_data(run)
    data = run_data(folder, run, trees)
    return data | {"trees": trees, "problems": problems, "tree_counts": dict(run.tree_counts())}


def render(name: str, data: str, *, etag: str | None = None) -> str:
    """The page. Its security policy names the hashes of this package's style and script, so nothing else runs in it.

    Args:
        name: of the run.
        data: as `embeddable_json` gives it.
        etag: of the data, where the page is served live (see `live.py`): it then asks its server for newer data.
    """
    style = _asset("page.css")
    script = "'use strict';\n" + "".join(_asset(name) for name in _SCRIPTS)
    policy = f"default-src 'none'; style-src {_hash_source(style)}; script-src {_hash_source(script)}"
    version = ""
    if etag is not None:
        policy += "; connect-src 'self'"
        version = f' data-etag="{html.escape(etag)}"'
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(name)} · mars2</title>\n<style>{style}</style>\n</head>\n<body>\n"
        "<noscript>This report draws itself with JavaScript; please allow it for this file.</noscript>\n"
        f'<script type="application/json" id="run-data"{version}>{data}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def embeddable_json(data: Any) -> str:
    """JSON that can be put into a page safely: pure ASCII, no ``<``.

    What browsers refuse is replaced: NaN and infinities by null, lone surrogates by U+FFFD.
    """
    return json.dumps(_browsable(data), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _browsable(data: Any) -> Any:
    if isinstance(data, str):
        return data if data.isascii() else data.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {_browsable(str(key)): _browsable(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_browsable(value) for value in data]
    return data


def _asset(name: str) -> str:
    return (resources.files("mars2.reports") / "assets" / name).read_text(encoding="utf-8")


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
