"""Every option is read where it matters: the type checker follows the objects and names each read.

A copy of the package is made in which every option is a property marked as deprecated. Pyright then reports each place
that reads one, with the class it belongs to. In `config/` only reads in public methods of a section count, since
checking and saving an option is not using it.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from source_tree import PACKAGE

OPTIONS_IN_CORE = {"core/problem.py": {"Limits"}, "core/completion.py": {"SamplingOptions"}}
PLANTED = "AbMctsConfig.nothing_reads_this"
HANDED_ON_WHOLE = {"LoraConfig", "OptimizerConfig", "SftConfig"}  # as keyword arguments, by name
READ_AS_HTTP_SETTINGS = {"OpenAIPolicyConfig.api_key_env", "OpenAIPolicyConfig.base_url"}
CONSUMED_WHILE_LOADING = {
    "RunConfig.paradigm",
    "RunConfig.roles",
}  # `config.paradigms` turns them into agents and search


@dataclass(frozen=True, slots=True)
class Option:
    """A field of a section; `tag` if it only tells which section is meant, so that the class is asked instead."""

    section: str
    name: str
    tag: bool

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"


def mark_options(file: Path, only: set[str] | None = None) -> list[Option]:
    """Make each field of the sections in `file` a deprecated property, whose message is `Section.field`."""
    tree, found = ast.parse(file.read_text(encoding="utf-8")), list[Option]()
    for section in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        if not (section.name in only if only is not None else is_section(section)):
            continue
        if section.name == PLANTED.split(".")[0]:
            section.body.append(ast.parse(f"{PLANTED.split('.')[1]}: int = 0").body[0])
        for place, item in enumerate(section.body):
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            annotation = ast.unparse(item.annotation)
            if annotation.startswith("ClassVar"):
                continue
            option = Option(
                section.name, item.target.id, tag=annotation.startswith("Literal") and "," not in annotation
            )
            found.append(option)
            property_ = f"@property\n@_option({str(option)!r})\ndef {option.name}(self) -> {annotation}: ..."
            section.body[place] = ast.parse(property_).body[0]
    tree.body.insert(2, ast.parse("from typing_extensions import deprecated as _option").body[0])  # after __future__
    file.write_text(ast.unparse(tree), encoding="utf-8")
    return found


def is_section(node: ast.ClassDef) -> bool:
    return (
        bool(node.bases)
        and not node.name.startswith("_")
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    )


def lines_that_use_options(file: Path) -> set[int]:
    """Lines of public methods of the sections in a file of config/."""
    methods = (
        item
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and is_section(node)
        for item in node.body
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")
    )
    return {line for method in methods for line in range(method.lineno, (method.end_lineno or method.lineno) + 1)}


def reads(copy: Path) -> set[str]:
    """`Section.field` of every option that something reads to use it."""
    settings = {"include": ["mars2"], "reportDeprecated": "error", "typeCheckingMode": "off"}
    (copy.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(copy.parent)]
    command += ["--pythonpath", sys.executable]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    found: set[str] = set()
    for item in answer["generalDiagnostics"]:
        file = Path(item["file"])
        in_config = file.relative_to(copy).parts[0] == "config"
        if item.get("rule") != "reportDeprecated":
            continue
        if not in_config or item["range"]["start"]["line"] + 1 in lines_that_use_options(file):
            found |= {line.strip() for line in item["message"].splitlines()}
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_option_is_read_and_a_planted_one_that_nothing_reads_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "mars2"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    options = [option for file in sorted((copy / "config").glob("*.py")) for option in mark_options(file)]
    for name, only in OPTIONS_IN_CORE.items():
        options += mark_options(copy / name, only)
    assert len(options) > 150

    found = reads(copy)

    families = {option.section: family(option.section, bases_of(copy)) for option in options}
    unread = {
        str(option)
        for option in options
        if not option.tag and not any(f"{relative}.{option.name}" in found for relative in families[option.section])
    }
    unread = {name for name in unread if name.partition(".")[0] not in HANDED_ON_WHOLE}
    assert unread - CONSUMED_WHILE_LOADING - READ_AS_HTTP_SETTINGS == {PLANTED}


def bases_of(copy: Path) -> dict[str, set[str]]:
    """The bases of every section."""
    return {
        node.name: {ast.unparse(base) for base in node.bases}
        for file in (copy / "config").glob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }


def family(section: str, bases: dict[str, set[str]]) -> set[str]:
    """The section, its bases and its subclasses: an option that one of them sets anew is the same option."""

    def above(name: str) -> set[str]:
        return {name}.union(*(above(base) for base in bases.get(name, ())))

    return above(section) | {name for name in bases if section in above(name)}
