"""What the pages claim can be found: links, files, tests, commands and configuration keys."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from source_tree import ROOT

from mars2.cli.main import app

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
EXPLAINING = [page for page in PAGES if page.parent == ROOT / "docs"]
PLACES = [
    ROOT,
    ROOT / "benchmarks",
    ROOT / "src",
    ROOT / "src" / "mars2",
    ROOT / "tests",
    *sorted((ROOT / "src" / "mars2").rglob("*/")),
]
TESTS = {path.name: path for path in (ROOT / "tests").rglob("*.py")}
CODE = re.compile(r"```.*?^ *```", flags=re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return CODE.sub("", page.read_text(encoding="utf-8"))


def heading_anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in heading_anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of)
def test_every_file_that_is_named_exists(page: Path) -> None:
    """`search/arms.py`, `tests/contracts/`, `test_arms.py`: found below the repository, the package or the tests."""
    folders = "tests|src|docs|configs|benchmarks"
    named = re.findall(rf"`([\w./-]+\.(?:py|toml)|(?:{folders})/[\w./-]*)(?:::\w+)*`", prose(page))
    missing = [name for name in named if name not in TESTS and not any((place / name).exists() for place in PLACES)]
    assert missing == []


@pytest.mark.parametrize("page", EXPLAINING, ids=name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """`test_x.py::test_y`, and `::TestZ` for the file that was named last; a name that ends in … is a beginning."""
    missing: list[str] = []
    known = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.values())
    for name in re.findall(r"(?:::|`)((?:test_|Test)\w+…?)(?=`|::)", prose(page)):
        if not re.search(rf"\b(?:def|class) {name.rstrip('…')}" + ("" if name.endswith("…") else r"\b"), known):
            missing.append(name)
    assert missing == []


def commands(command: Any, prefix: str) -> list[str]:
    """Every command that the command line knows, with its group: `mars2 problems show`."""
    children = getattr(command, "commands", None)
    if children is None:
        return [prefix]
    return [name for key, child in children.items() for name in commands(child, f"{prefix} {key}")]


@pytest.mark.parametrize("command", commands(typer.main.get_command(app), "mars2"))
def test_every_command_is_in_the_readme_or_a_page(command: str) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *EXPLAINING])
    group, last = command.rsplit(" ", 1)
    listed = rf"{group} [\w|]*\b{last}\b"  # `mars2 problems show|validate|convert` names three
    assert re.search(listed, text), f"no page names `{command}`"


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of)
def test_lines_of_prose_are_at_most_120_characters_long(page: Path) -> None:
    """Rows of tables cannot be broken; headings and links to images neither."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "![", "#"))] == []


@pytest.mark.parametrize("page", EXPLAINING, ids=name_of)
def test_a_page_that_explains_holds_no_dated_measurement(page: Path) -> None:
    """Dates and commits belong to what was measured, and that is in benchmarks/."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    assert re.findall(r"\b20\d\d-\d\d-\d\d\b|\bcommit [0-9a-f]{7}\b", text) == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *EXPLAINING], ids=name_of)
def test_examples_in_python_compile_and_what_they_import_exists(page: Path) -> None:
    missing: list[str] = []
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mars2":
                module = importlib.import_module(node.module or "")
                missing += [f"{node.module}.{a.name}" for a in node.names if not hasattr(module, a.name)]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mars2":
                missing += [] if hasattr(importlib.import_module("mars2"), node.attr) else [f"mars2.{node.attr}"]
    assert missing == []


def test_every_extra_that_is_named_exists() -> None:
    """In the pages and in the messages of the code: `pip install 'mars2[NAME]'`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = set(project["optional-dependencies"]) | {"extra"}  # "mars2[extra]" stands for any in `core.optional`
    for file in [*PAGES, *(ROOT / "src").rglob("*.py")]:
        named = re.findall(r"mars2\[([\w,]+)\]", file.read_text(encoding="utf-8"))
        assert {extra for names in named for extra in names.split(",")} <= known, file
