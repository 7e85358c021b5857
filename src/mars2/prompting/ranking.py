"""How much a piece of code counts as the wanted program: the only place where pieces are compared."""

from __future__ import annotations

import ast
import bisect
import collections
import functools
import heapq
import itertools
import math
import re
import sys
import typing
from enum import IntEnum

from mars2.prompting.evidence import (
    INPUT_NAMES,
    Candidate,
    bare_lines,
    calls,
    is_main_guard,
    is_test_name,
    reads_and_writes,
    runs,
)
from mars2.prompting.python_source import DEFINITIONS, bound_names


class Level(IntEnum):
    """How much of the wanted program a piece is. A higher level beats any lower one, wherever it stands."""

    SCRAP = 0
    SCRIPT = 1  # it prints, imports or calls, or only tests something
    DEFINITIONS = 2
    WHOLE = 3  # it reads input and writes output
    ENTRY_POINT = 4  # it defines what the tests call


SHOWN = {
    Level.SCRAP: "valid Python",
    Level.SCRIPT: "a script",
    Level.DEFINITIONS: "defines functions or classes",
    Level.WHOLE: "reads input and writes output",
    Level.ENTRY_POINT: "defines what the tests call",
}

_TOOLS = frozenset(
    {"random", "timeit", "time", "unittest", "pytest", "doctest", "subprocess", "cProfile", "hypothesis"}
)
_TOOL_NAME = re.compile(
    r"(gen|generate|make|build|create|rand|random|time|timing|measure|profile|verify|validate|compare|assert|run_tests?"
    r"|main_test|example)(_|\d|[A-Z]|$)"
)
_OTHER_NAME = re.compile(r"(brute|naive|slow|timed|timer|benchmark|bench|stress|demo)(_|\d|[A-Z]|$)")
_ELIDED = re.compile(
    r"^[ \t]*(?:(?:# ?)?(?:\.\.\.|…)|#.*\b(?:same as (?:above|before)|as before|existing code|unchanged|code here"
    r"|rest of (?:the |your )?(?:code|function|class|program|implementation|solution|methods?|logic))\b)",
    re.MULTILINE | re.IGNORECASE,
)
_CODE = r"(?:code|version|solution|approach|attempt|program|implementation|function|method|way|recursion)"
_INTRO_OF_OTHERS = re.compile(
    rf"\b(?:brute.?force|slower|na[iï]ve(?:ly)?(?: {_CODE})|slow {_CODE}|another way|alternativ\w*|autrement"
    r"|for (?:testing|comparison|reference|debugging)|(?:stress|unit)[ -]?tests?|benchmark|timing|(?:code )?template"
    r"|to (?:test|verify|check|compare|debug)(?: (?:it|this|that|them|against|with|correctness|the \w+))?\W*$"
    r"|to (?:verify|check|compare|debug) (?:it|this|that|them|against|with)\b|generator (?:of|for)\b"
    r"|(?:test|data|input|case)s?[ -]?(?:generator|data|script|harness)|to generate (?:random|tests?|inputs?|data)"
    rf"|(?:your|original|old|previous|first|wrong|buggy|incorrect|broken|bad|debug|verbose) (?:\w+ )?{_CODE}"
    r"|(?:wrong|bad|buggy)\W*$"
    r"|(?:do not|don't|never) (?:use|submit|write)|skeleton|pseudo.?code|not recommended)|测试|暴力|对拍|错误",
    re.IGNORECASE,
)
_INTRO_OF_THE_ANSWER = re.compile(
    r"\b(?:better|fast(?:er)?|efficient\w*|optimi[sz]\w*|improved?|final|correct(?:ed)?|fix(?:e[ds])?|complete|full"
    r"|(?<!not )(?<!n't )submit|should be|right version|working|after|so|but|however|thus|therefore|hence|instead"
    r"|rather|avoid|replac\w+|without)\b",
    re.IGNORECASE,
)
_LIKELY_IMPORTED = frozenset(  # what a judge's preamble or the starter code brings
    (
        *sys.stdlib_module_names,
        *(name for module in (bisect, collections, functools, heapq, itertools, math, typing) for name in dir(module)),
        *("np", "pd", "nx", "Decimal", "Fraction", "ListNode", "TreeNode", "Node", "SortedList", "dataclass", "Enum"),
        *("ascii_lowercase", "maxsize"),
    )
)


def level(found: Candidate, entry_point: str | None) -> Level:
    name, _, method = (entry_point or "").partition(".")
    if name in found.binds - found.stubs and not _wraps(found, name) and _has_method(found.tree, name, method):
        return Level.ENTRY_POINT
    if found.reads and found.writes and not found.is_test and not _prints_chance(found.tree):
        return Level.WHOLE
    if any(not is_test_name(name) for name in found.defines):
        return Level.SCRIPT if found.stubs == found.defines else Level.DEFINITIONS
    imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in found.tree.body)
    if found.defines or imports or found.reads or found.writes:
        return Level.SCRIPT
    return Level.SCRAP


def flaws(found: Candidate, entry_point: str | None, known: frozenset[str]) -> list[str]:
    """What speaks against a piece where another of its level has less of it; `known`: names that other pieces bind."""
    name = (entry_point or "").partition(".")[0]
    is_other = bool(found.defines) and all(_OTHER_NAME.match(name) for name in found.defines)
    if not found.reads and _imported(found.tree) & _TOOLS:
        is_other = is_other or runs(found.tree) or all(_TOOL_NAME.match(name) for name in found.defines)
    says = {
        "is cut off": found.is_cut,
        "leaves code out": _ELIDED.search(found.code) is not None,
        "uses names that nothing defines": bool(found.needs - known - _LIKELY_IMPORTED),
        "calls methods that it lacks": _lacks_methods(found.tree),
        "only binds the name": name in found.binds - found.defines,
        "tests, times or makes data": name not in found.binds and (is_other or found.is_test),
        "reads input where a function is wanted": entry_point is not None and _reads_when_imported(found),
        "is introduced as something else": _is_introduced_as_other(found.piece.intro),
    }
    return [words for words, holds in says.items() if holds]


def _has_method(tree: ast.Module, name: str, method: str) -> bool:
    """Whether the class has the method; True also where it may inherit it, or where there is no such class."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name and not node.bases]
    return not method or not classes or any(method in bound_names(ast.Module(node.body, [])) for node in classes)


def _lacks_methods(tree: ast.Module) -> bool:
    """Whether a class without bases calls methods of its own that it does not have: a fragment of a class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.bases:
            own = [inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute)]
            own = [inner for inner in own if isinstance(inner.value, ast.Name) and inner.value.id == "self"]
            has = bound_names(ast.Module(node.body, [])) | {a.attr for a in own if not isinstance(a.ctx, ast.Load)}
            if any(not a.attr.startswith("__") for a in own if a.attr not in has):
                return True
    return False


def _wraps(found: Candidate, name: str) -> bool:
    """Whether it only binds the name to something made of what another piece has bound it to: ``f = timed(f)``."""
    return name not in found.defines and any(
        isinstance(node, ast.Assign)
        and any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node.value))
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        for node in found.tree.body
    )


def _reads_when_imported(found: Candidate) -> bool:
    """Whether running the module without a main guard asks for input."""
    if not found.reads:
        return False
    asking = set(INPUT_NAMES)
    asking |= {n.name for n in found.tree.body if isinstance(n, DEFINITIONS) and reads_and_writes(n)[0]}
    active = [n for n in found.tree.body if not isinstance(n, DEFINITIONS) and not is_main_guard(n)]
    return any(calls(node, asking | {"read", "readline", "readlines"}) for node in active)


def _prints_chance(tree: ast.Module) -> bool:
    """Whether random numbers or times are printed as they are drawn: a generator of tests, a timing."""
    if not _imported(tree) & _TOOLS:
        return False
    names = {
        "randint",
        "random",
        "choice",
        "choices",
        "sample",
        "randrange",
        "uniform",
        "perf_counter",
        "time",
        "timeit",
    }
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and any(calls(argument, names) for argument in node.args)
        for node in ast.walk(tree)
    )


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _is_introduced_as_other(intro: str) -> bool:
    sentence = re.split(r"[.!?。] ?(?=\S)", intro.strip())[-1][-100:]
    return _INTRO_OF_OTHERS.search(sentence) is not None and _INTRO_OF_THE_ANSWER.search(sentence) is None


def is_excerpt(part: Candidate, whole: Candidate) -> bool:
    """Whether `part` only repeats some of `whole`, as an explanation does, or its beginning, as a cut repetition."""
    lines, others = list(bare_lines(part.code)), list(bare_lines(whole.code))
    if not part.piece.is_closed and lines[:-1] == others[: len(lines) - 1] and len(lines) <= len(others):
        return others[len(lines) - 1].startswith(lines[-1])
    if part.defines:
        return part.defines < whole.defines
    return len(lines) < len(others) and set(lines) <= set(others)
