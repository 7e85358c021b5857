"""Finds the program in a model's answer. The same program is graded and shown in feedback."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mars2.prompting.fences import Block, fenced_blocks
from mars2.prompting.python_source import (
    DEFINITIONS,
    bound_names,
    calls_print,
    defined_names,
    imports_foreign,
    parse_python,
    reads_input,
    repaired,
    used_names,
    without_imports_of,
    writes_output,
)
from mars2.prompting.reasoning import without_reasoning

MAX_ANSWER_CHARS = 400_000
"""Only the last so many characters of an answer are read: the program comes last."""
MAX_BLOCKS = 64
MAX_REJOINED = 3
MAX_HEADS = 40
MAX_HEAD_CHARS = 200_000
"""Bounds on the search for a valid beginning of a damaged answer: how many are tried, and their total length."""

_HTML_CODE = re.compile(r"<code[^<>\n]{0,200}>", re.IGNORECASE)
_TAG_LINE = re.compile(r"^[ \t]*(?:</?\w+>|\[/?[A-Z]+\]|<\|\w+\|>)[ \t]*$", re.MULTILINE)
_INDENTED = re.compile(r"(?:^(?:    |\t).*(?:\n|\Z)(?:[ \t]*\n)*)+", re.MULTILINE)
_COMMENT = re.compile(r"\s#.*$")
_CODE_LINE = re.compile(r"^(?:(?:def|class|async def|import|from|if __name__)\b|@\w)", re.MULTILINE)
_MARGIN_LINE = re.compile(r"\n(?=\S)")


@dataclass(frozen=True, slots=True)
class _Candidate:
    code: str
    tree: ast.Module


def extract_program(text: str, entry_point: str | None = None) -> str | None:
    """The program in `text`, or None if there is none. Never raises, never runs anything.

    1. Reasoning (`<think>…</think>`, also with one of the tags missing) is removed, so code in it is never graded. Tags
       that code or prose only mention stay (`without_reasoning`).
    2. Some fenced Python block parses. The first of these rules that finds a block decides, and of several blocks the
       last is taken: it defines `entry_point` (if given); it has a definition that is not a test, or reads input and
       writes output; it prints, imports or calls; any block. If the block only repeats definitions or lines of an
       earlier one, it is an excerpt, and the earlier one is taken. Blocks that define names which the chosen one uses
       are put before it. If there is no entry point, a block with the missing call (``main()``) is put behind it. A
       block that was cut by a fence in its docstring is put together first.
    3. No block parses: the last one that was meant as code, unchanged, so that the verdict is CE and the model is
       shown the syntax error. If the block was not closed, text after the program (prose, a cut-off part) is removed.
    4. There is no block: the whole text, the part from its first line of code on, or an indented part, if that is valid
       Python that defines, imports or prints something.

    Tests and examples at the top level of the chosen block stay: they are part of what the model wrote.
    """
    text = without_reasoning(text[-MAX_ANSWER_CHARS:].replace("\r\n", "\n").replace("\r", "\n"))
    blocks = _python_blocks(text)
    if not blocks:
        return _unfenced(text)
    candidates = [c for b in blocks if (c := _candidate(b)) is not None]
    if candidates:
        return _tidy(_choose(candidates, entry_point))
    invalid = [b for b in blocks if b.tag or _CODE_LINE.search(b.code)]
    if not blocks[0].tag:
        before = re.split(r"^[ \t]*(?:```|~~~)", text, maxsplit=1, flags=re.MULTILINE)[0]
        if (program := _unfenced(before)) is not None:  # a closing fence without an opening one
            return program
    return _tidy(invalid[-1].code) if invalid else None


def _python_blocks(text: str) -> list[Block]:
    """The last blocks that may be Python; those inside a block of Markdown if there are no others."""
    blocks = _whole_blocks(text)
    found = [b for b in blocks if b.may_be_python and b.code.strip()]
    if not found:
        inner = "\n".join(b.code for b in blocks if b.tag in ("markdown", "md"))
        found = [b for b in fenced_blocks(inner) if b.may_be_python and b.code.strip()]
    return found[-MAX_BLOCKS:]


def _whole_blocks(text: str) -> list[Block]:
    """All blocks. A block that was cut by a fence inside its docstring is put together again."""
    found: list[Block] = []
    for _ in range(MAX_REJOINED):
        blocks = fenced_blocks(text)
        lines = text.split("\n")
        for position, block in enumerate(blocks):
            end = _true_end(block, lines) if block.may_be_python and position + 1 < len(blocks) else None
            if end is not None:
                found += [*blocks[:position], Block(block.tag, "\n".join(lines[block.lines[0] : end]), closed=True)]
                text = "\n".join(lines[end + 1 :])
                break
        else:
            return found + blocks
    return found + fenced_blocks(text)


def _true_end(block: Block, lines: Sequence[str]) -> int | None:
    """The line of the fence that closes a block with a fence in its docstring; None if it was not cut there."""
    if not any(block.code.count(quotes) % 2 for quotes in ('"""', "'''")):
        return None
    fences = (n for n in range(block.lines[1], len(lines)) if lines[n].strip() in ("```", "~~~"))
    for end in islice(fences, 2 * MAX_REJOINED):
        if parse_python("\n".join(lines[block.lines[0] : end])) is not None:
            return end
    return None


def _candidate(block: Block) -> _Candidate | None:
    found = repaired(block.code)
    if found is None and not block.closed:
        found = _longest_valid_head(block.code)
    if found is None or not found[1].body:
        return None
    if not block.tag and _rank(found[1]) == 0:
        return None  # a sample output that happens to be valid Python
    return _Candidate(*found)


def _longest_valid_head(code: str) -> tuple[str, ast.Module] | None:
    """The longest beginning of `code` that is valid Python and has a definition or reads input."""
    for head in _heads(code):
        tree = parse_python(head)
        if tree is not None and (defined_names(tree) or reads_input(tree)):
            return head, tree
    return None


def _heads(code: str) -> Iterator[str]:
    """Shorter and shorter beginnings of `code`, each cut before a line without indentation; a limited number."""
    num_chars = 0
    for cut in [match.start() for match in _MARGIN_LINE.finditer(code)][: -MAX_HEADS - 1 : -1]:
        num_chars += cut
        if num_chars > MAX_HEAD_CHARS:
            return
        yield code[:cut]


def _choose(candidates: Sequence[_Candidate], entry_point: str | None) -> str:
    ranks = [_rank(c.tree, entry_point) for c in candidates]
    best = max(ranks)
    index = max(i for i, rank in enumerate(ranks) if rank == best)
    for earlier in range(index - 1, -1, -1):
        if ranks[earlier] == best and _is_excerpt(candidates[index], candidates[earlier]):
            index = earlier
    program = _with_needed_blocks(candidates, index)
    if entry_point is None and not _runs(candidates[index].tree):
        calls = next((c for c in candidates[index + 1 :] if _only_calls(c.tree, candidates[index].tree)), None)
        if calls is not None:
            return "\n\n".join((program, calls.code.strip("\n")))
    return program


def _runs(tree: ast.Module) -> bool:
    """Whether the module does more than define, import and bind."""
    passive = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    return any(
        not isinstance(node, passive) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )


def _only_calls(tree: ast.Module, other: ast.Module) -> bool:
    """Whether the module is the call that `other` lacks: ``main()``, also below ``if __name__ == "__main__"``, or a
    call that reads its arguments from the input. An example with values of its own is not."""
    used = used_names(tree)
    known = bound_names(other)
    if defined_names(tree) or not used & defined_names(other):
        return False
    if not all(name in known or hasattr(builtins, name) for name in used):
        return False
    return reads_input(tree) or all(_is_bare_call(node) or _is_main_guard(node) for node in tree.body)


def _is_bare_call(node: ast.stmt) -> bool:
    """Whether it is a call without literal values, so not an example."""
    values = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set)
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return is_call and not any(isinstance(n, values) for n in ast.walk(node))


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))


def _is_excerpt(part: _Candidate, whole: _Candidate) -> bool:
    """Whether `part` only repeats some of `whole`, as an explanation does."""
    names = defined_names(part.tree)
    if names:
        return names < defined_names(whole.tree)
    lines, others = _bare_lines(part.code), _bare_lines(whole.code)
    return len(lines) < len(others) and set(lines) <= set(others)


def _bare_lines(code: str) -> list[str]:
    """Lines without indentation, comments, and blank ones."""
    bare = (_COMMENT.sub("", f" {line}").strip() for line in code.split("\n"))
    return [line for line in bare if line]


def _rank(tree: ast.Module, entry_point: str | None = None) -> int:
    names = defined_names(tree)
    if entry_point is not None and entry_point in bound_names(tree):
        return 3
    if any(not _names_a_test(name) for name in names) or (reads_input(tree) and writes_output(tree)):
        return 2
    imports = any(isinstance(n, ast.Import | ast.ImportFrom) for n in tree.body)
    return int(bool(names) or imports or calls_print(tree) or reads_input(tree))


def _names_a_test(name: str) -> bool:
    return name.lower().startswith("test") or name.lower() == "check"


def _with_needed_blocks(candidates: Sequence[_Candidate], index: int) -> str:
    """The chosen block, with earlier blocks in front that define names which it uses but does not define.

    The nearest block is asked first. Names that it imports from another file of the answer count as used; that import
    is left out.
    """
    code, tree = candidates[index].code, candidates[index].tree
    shown = set[str]().union(*(bound_names(c.tree) for c in candidates[:index]))
    foreign = [n for n in tree.body if isinstance(n, ast.ImportFrom) and imports_foreign(n)]
    imported = {alias.name for node in foreign for alias in node.names} & shown
    if imported:
        code = without_imports_of(code, tree, imported)
    parts = [code]
    missing = used_names(tree) | imported
    for earlier in reversed(candidates[:index]):
        bound = bound_names(earlier.tree)
        if _rank(earlier.tree) > 0 and missing & bound:
            parts.insert(0, earlier.code)
            missing = (missing - bound) | used_names(earlier.tree)
    return "\n\n".join(part.strip("\n") for part in parts)


def _unfenced(text: str) -> str | None:
    for part in _unfenced_parts(text):
        found = repaired(part)
        if found is None:
            continue
        code, tree = found
        imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
        if defined_names(tree) or imports or calls_print(tree):
            return _tidy(code)
    return None


def _unfenced_parts(text: str) -> Iterator[str]:
    """The whole text; parts that are marked as code in HTML; the text from its first line of code on, with fewer and
    fewer lines at the end; indented parts."""
    for code in _HTML_CODE.split(text)[1:][: -MAX_REJOINED - 1 : -1]:
        code, end, _ = code.partition("</code>")
        if end and "\n" in code.strip():
            yield code
    text = _TAG_LINE.sub("", text)
    yield text
    start = _CODE_LINE.search(text)
    if start is not None:
        yield text[start.start() :]
        yield from _heads(text[start.start() :])
    yield from _INDENTED.findall(text)[: -MAX_REJOINED - 1 : -1]


def _tidy(code: str) -> str | None:
    """Without blank lines around it and with one newline at its end; lone surrogates become "?"."""
    code = code.strip("\n").rstrip().encode("utf-8", "replace").decode()
    return code + "\n" if code else None
