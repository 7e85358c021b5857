"""Reads one problem from a file: Markdown, a pasted statement, or a whole problem as JSON or YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mars2.core.errors import ProblemError
from mars2.core.problem import Problem
from mars2.problems.reading import parse_json, parse_yaml, read_text
from mars2.problems.schema import problem_from_data
from mars2.problems.statement import problem_from_statement

SUFFIXES = (".md", ".markdown", ".json", ".yaml", ".yml")
STATEMENT_SUFFIX = ".txt"  # of a statement as it was pasted; not of a problem in a folder
_TESTS_OPEN = re.compile(r"(```+|~~~+)[ \t]*tests(?:[ \t]+(?:yaml|yml|json))?[ \t]*$")


def load_file(path: Path) -> Problem:
    """The problem in `path` (docs/problem-format.md). Its id defaults to the file's name without the ending.

    Raises:
        ProblemError: one line that names the file, the field, the value and the remedy.
    """
    suffix = path.suffix.lower()
    known = (*SUFFIXES, STATEMENT_SUFFIX)
    if suffix not in known:
        raise ProblemError(f"{path}: unknown kind of problem file; its name must end in one of {', '.join(known)}")
    text = read_text(path)
    where = str(path)
    if suffix == STATEMENT_SUFFIX or (suffix in (".md", ".markdown") and not _has_more(text)):
        return replace(problem_from_statement(text, where), id=path.stem)
    if suffix == ".json":
        data = parse_json(text, where)
    elif suffix in {".yaml", ".yml"}:
        data = parse_yaml(text, where)
    else:
        data = _markdown(text, path)
    if isinstance(data, dict):
        data.setdefault("id", path.stem)
    return problem_from_data(data, where)


def _has_more(markdown: str) -> bool:
    """Whether the file says more than a statement: front matter, or tests."""
    lines = markdown.split("\n")
    return lines[0].rstrip() == "---" or any(map(_TESTS_OPEN.match, lines))


def _markdown(text: str, path: Path) -> dict[str, Any]:
    lines = text.split("\n")
    data, start = _front_matter(lines, str(path))
    if "statement" in data:
        raise ProblemError(
            f"{path}: statement: belongs in the body, not in the front matter; move it below the second ---"
        )
    body, block = _split_tests(lines[start:], start + 1, str(path))
    if not body.strip():
        raise ProblemError(f"{path}: statement: empty; write it below the front matter")
    named = data.get("tests")
    if block is not None and named is not None:
        raise ProblemError(f"{path}: tests: given both in the front matter and in a ```tests block; keep one")
    if block is not None:
        data["tests"] = _data(*block, where=str(path))
    elif isinstance(named, str):
        sibling = path.parent / named
        data["tests"] = _data(read_text(sibling), 1, where=str(sibling))
    elif named is None:
        raise ProblemError(f"{path}: tests: the problem has no tests; add a ```tests block or name a file in `tests:`")
    return {**data, "statement": body.strip("\n")}


def _front_matter(lines: list[str], where: str) -> tuple[dict[str, Any], int]:
    """The front matter (empty if there is none) and the index of the first line after it."""
    if lines[0].rstrip() != "---":
        return {}, 0
    end = next((i for i, line in enumerate(lines) if i > 0 and line.rstrip() == "---"), None)
    if end is None:
        raise ProblemError(f"{where}: the front matter is not closed; end it with a line ---")
    data = parse_yaml("\n".join(lines[1:end]), where, first_line=2)
    if data is None:
        return {}, end + 1
    if not isinstance(data, dict):
        raise ProblemError(f"{where}: the front matter must be `key: value` lines, got {str(data)[:40]!r}")
    return data, end + 1


def _split_tests(lines: list[str], first_line: int, where: str) -> tuple[str, tuple[str, int] | None]:
    """The body without its ```tests block; the block's text and the file line it starts on."""
    openings = [(i, m.group(1)) for i, line in enumerate(lines) if (m := _TESTS_OPEN.match(line))]
    if not openings:
        return "\n".join(lines), None
    if len(openings) > 1:
        second = openings[1][0] + first_line
        raise ProblemError(f"{where}: line {second}: a second ```tests block; put all tests in one")
    start, fence = openings[0]
    end = next((i for i, line in enumerate(lines) if i > start and line.rstrip() == fence), None)
    if end is None:
        raise ProblemError(f"{where}: line {start + first_line}: the ```tests block is not closed; end it with {fence}")
    return "\n".join(lines[:start] + lines[end + 1 :]), ("\n".join(lines[start + 1 : end]), start + 1 + first_line)


def _data(text: str, first_line: int, *, where: str) -> Any:
    """The tests: read as JSON if they look like JSON, else as YAML."""
    parse = parse_json if text.lstrip().startswith("{") else parse_yaml
    return parse(text, where, first_line) or {}
