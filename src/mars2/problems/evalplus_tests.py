"""Turns the tests of EvalPlus (arXiv:2305.01210) into assertion tests: without numpy, and a few inputs in each."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from textwrap import dedent, indent
from typing import Any

from mars2.core.problem import AssertTest, Limits
from mars2.problems.loaded import RowFault
from mars2.problems.source import MOST_DIGITS, parse, readable

INPUTS_PER_TEST = 50
LIMITS = Limits(cpu_s=15.0, memory_mib=1024)
"""Of one test. EvalPlus gives each input 4 seconds at least, and 4 GiB."""

TOO_LARGE: dict[str, Callable[..., bool]] = {
    "starts_one_ends": lambda n: n > 300_000,  # HumanEval/83: integers of up to a million digits
    "combinations_colors": lambda colours, n: n > 20,  # Mbpp/255: up to 128 million values
}
"""Inputs that are left out, by entry point: their results cannot be sent from the program's jail to the tester's."""

CHECK = "check_candidate"
"""What calls the program's function; `check` is the name of such a function itself (Mbpp/56)."""

_NUMPY = dedent("""\
    class np:  # as much of numpy as these tests use
        ndarray, float32, float64 = (), float, float

        @staticmethod
        def allclose(a, b, rtol=1e-05, atol=1e-08):
            def depth(x):
                if not isinstance(x, (list, tuple)):
                    return 0
                found = {depth(item) for item in x} or {0}
                if len(found) > 1:
                    raise ValueError("not of one shape")
                return 1 + found.pop()

            def pairs(a, b):
                if depth(a) < depth(b):
                    a = [a] * len(b)
                elif depth(b) < depth(a):
                    b = [b] * len(a)
                elif not depth(a):
                    yield a, b
                    return
                if len(a) != len(b) and len(a) != 1 and len(b) != 1:
                    raise ValueError("the shapes differ")
                for i in range(0 if not a or not b else max(len(a), len(b))):
                    yield from pairs(a[i if len(a) > 1 else 0], b[i if len(b) > 1 else 0])

            return all(abs(x - y) <= atol + rtol * abs(y) < float("inf") or x == y for x, y in pairs(a, b))
    """)
_KNOWN_OF_NUMPY = {"allclose", "ndarray", "float32", "float64"}
_DEFINES_CHECK = re.compile(r"^def check\(", re.MULTILINE)
_IMPORT_NUMPY = re.compile(r"^import numpy as np[ \t]*$", re.MULTILINE)

NOT_NONE_TASKS = ("check_str", "text_match_three", "text_starta_endb")
"""Functions that return a match object or None: all that is asked is whether there is one."""

_POLY = "assert _poly(*candidate(*inp), inp) <= "
"""HumanEval/32 on the Hub calls the program's answer as if it were a list; the package has the arguments right."""
_NOT_NONE = "exact_match = exp == (out is not None)"
"""Three tasks of MBPP+ on the Hub compute whether the answer is right and then do not assert it; the package does."""
_NOT_NONE_RULE = "(out == exp) if type(out) is bool else exp == (out is not None)"

_SPECIAL = {
    "are_equivalent": "True",
    "sum_div": "out == exp or out == 0",
    "surface_Area": "out == exp or abs(out - other(*inp)) <= atol",
    "digit_distance_nums": "out == exp or out == other(*inp)",
    **dict.fromkeys(NOT_NONE_TASKS, _NOT_NONE_RULE),
    **dict.fromkeys(
        (
            "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum",
            "intersection_array", "find_dissimilar", "Diff",
        ),
        "set(out) == set(exp)",
    ),
}  # fmt: skip
"""When an answer counts as equal to the reference's, by entry point (evalplus/eval, `unsafe_execute`)."""
_OTHER = {
    "surface_Area": """
        def other(base, height):
            return round(base**2 + 2 * base * math.sqrt((base / 2) ** 2 + height**2))
        """,
    "digit_distance_nums": """
        def other(a, b):
            a, b = str(a), str(b)
            size = max(len(a), len(b))
            return sum(abs(int(x) - int(y)) for x, y in zip(a.zfill(size), b.zfill(size)))
        """,
    "find_zero": """
        def assertion(out, exp, atol, inp):
            assert abs(sum(c * math.pow(out, i) for i, c in enumerate(inp[0]))) <= atol
        """,
}
"""The second right answers of two tasks, and the rule of HumanEval/32."""
_RULE = """
def is_floats(x):
    return isinstance(x, float) or isinstance(x, (list, tuple)) and bool(x) and all(isinstance(i, float) for i in x)


def assertion(out, exp, atol, inp):
    exact_match = {special}
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert type(out) == type(exp)
        if isinstance(exp, (list, tuple)):
            assert len(out) == len(exp)
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match
"""
"""evalplus/eval, `unsafe_execute`."""


def tests_of_code(code: str, entry_point: str) -> tuple[AssertTest, ...]:
    """The tests in the field `test` of a row of the Hub, `INPUTS_PER_TEST` inputs in each.

    The code is the row's own, assertions and tolerances with it. Differs: numpy is replaced where all that is used of
    it is known, two mistakes are mended (`_POLY`, `_NOT_NONE`), and inputs that are too large are left out.

    Raises:
        RowFault: it is not Python, or no input is left.
    """
    code = readable(_mended(code))
    if {*re.findall(r"\bnp\.(\w+)", code)} <= _KNOWN_OF_NUMPY:
        code = _IMPORT_NUMPY.sub(lambda _: _NUMPY, code, count=1)
    tree = parse(code)
    if tree is None:
        raise RowFault("malformed tests", "test: not valid Python")
    call = f"check({entry_point})"
    if not _DEFINES_CHECK.search(code):
        if not tree.body or not isinstance(tree.body[-1], ast.For):
            return (AssertTest(code),)  # not as EvalPlus writes it
        code, tree = _with_check(code, tree, entry_point)
        call = f"{CHECK}({entry_point})"
    return tuple(AssertTest(f"{part.strip()}\n\n{call}\n") for part in _parts(code, tree, entry_point))


def tests_of_reference(row: dict[str, Any], reference: str, inputs: Sequence[Sequence[Any]]) -> tuple[AssertTest, ...]:
    """The tests of a row of a release file: what is right is what the reference returns, run beside each test.

    Raises:
        RowFault: the reference is not Python, the tolerance is no number, or no input is left.
    """
    entry_point, atol = row["entry_point"], row.get("atol") or 0
    if not isinstance(atol, (int, float)):
        raise RowFault("malformed field", "atol is not a number")
    kept = [arguments for arguments in inputs if _fits(entry_point, arguments)]
    if not kept:
        raise RowFault("no tests")
    rule = _RULE.format(special=_SPECIAL.get(entry_point, "out == exp")) + dedent(_OTHER.get(entry_point, ""))
    expected = "ref_func(*copy.deepcopy(inp))" + (" is not None" if _SPECIAL.get(entry_point) == _NOT_NONE_RULE else "")
    head = f"import copy, math\nfrom math import inf, nan\n\n{_NUMPY}\n{_renamed(reference, entry_point)}\n{rule}"
    return tuple(
        AssertTest(
            f"{head}\n\ndef {CHECK}(candidate):\n    for inp in {_written(part)}:\n        exp = {expected}\n"
            f"        assertion(candidate(*inp), exp, {atol}, inp)\n\n\n{CHECK}({entry_point})\n"
        )
        for part in _batches(kept)
    )


def _mended(code: str) -> str:
    code = re.sub(re.escape(_POLY) + r"(\S+)", r"assert abs(_poly(*inp, candidate(*inp))) <= \1", code)
    if _NOT_NONE in code and "assert exact_match" not in code:
        code = code.replace("isinstance(out, bool)", "type(out) is bool")
        code = re.sub(rf"(\n *){re.escape('else:')}\1 +{re.escape(_NOT_NONE)}", r"\g<0>\1assert exact_match", code)
    return code


def _with_check(code: str, tree: ast.Module, entry_point: str) -> tuple[str, ast.Module]:
    """The loop at the end of a test of MBPP+ in a function `CHECK`, as HumanEval+ has it in `check`.

    The name of the program's function is then only in the call `check(name)`.
    """
    last = tree.body[-1]
    lines = code.split("\n")
    loop = re.sub(rf"\b{re.escape(entry_point)}(?=\()", "candidate", "\n".join(lines[last.lineno - 1 :]))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == entry_point]
    for node in sorted(found, key=lambda node: -node.col_offset):  # a variable of the reference's, in Mbpp/88
        line = lines[node.lineno - 1].encode()
        lines[node.lineno - 1] = (line[: node.col_offset] + b"of_" + line[node.col_offset :]).decode()
    head = "\n".join(lines[: last.lineno - 1])
    code = f"{head}\n\ndef {CHECK}(candidate):\n{indent(loop, '    ')}\n"
    changed = parse(code)
    if changed is None:
        raise RowFault("malformed tests", "test: not valid Python")
    return code, changed


def _parts(code: str, tree: ast.Module, entry_point: str) -> Iterator[str]:
    """The code with some of the inputs and their results in place of all."""
    lists = [node.value for node in _assignments(tree) if isinstance(node.value, ast.List)]
    sizes = {len(found.elts) for found in lists}
    if len(sizes) != 1 or len(lists) > 2:
        yield code  # not as EvalPlus writes it
        return
    data = code.encode()
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    def span(node: ast.expr) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[(node.end_lineno or 0) - 1] + (
            node.end_col_offset or 0
        )

    kept = [i for i in range(*sizes) if _fits_node(entry_point, lists[0].elts[i])]
    if not kept:
        raise RowFault("no tests")
    texts = [[data[slice(*span(element))] for element in found.elts] for found in lists]
    for numbers in _batches(kept):
        part, position = b"", 0
        for found, elements in zip(lists, texts, strict=True):
            start, end = span(found)
            part += data[position:start] + b"[" + b", ".join(elements[i] for i in numbers) + b"]"
            position = end
        yield (part + data[position:]).decode()


def _assignments(tree: ast.Module) -> list[ast.Assign]:
    """`inputs = …` and `results = …`, at the top or in `check`."""
    places = [
        tree.body,
        *(node.body for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"),
    ]
    return [
        node
        for place in places
        for node in place
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("inputs", "results")
    ]


def _fits_node(entry_point: str, node: ast.expr) -> bool:
    return entry_point not in TOO_LARGE or _fits(entry_point, ast.literal_eval(node))


def _fits(entry_point: str, arguments: Sequence[Any]) -> bool:
    return entry_point not in TOO_LARGE or not TOO_LARGE[entry_point](*arguments)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """`INPUTS_PER_TEST` at most, dealt out like cards, for the costly ones stand beside each other."""
    count = -(-len(items) // INPUTS_PER_TEST)
    return (items[first::count] for first in range(count))


def _renamed(reference: str, entry_point: str) -> str:
    """The reference with its function called `ref_func`, so that the name stands for the program's alone."""
    tree = parse(reference)
    if tree is None:
        raise RowFault("malformed field", "canonical_solution: not valid Python")
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name == entry_point:
                node.id = "ref_func"
            case ast.FunctionDef(name=name) if name == entry_point:
                node.name = "ref_func"
            case _:
                pass
    return ast.unparse(tree)


def _written(value: Any) -> str:
    """`value` as Python source; an integer of more digits than Python reads in hexadecimal."""
    match value:
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case tuple():
            return f"({''.join(f'{_written(item)}, ' for item in value)})"
        case dict():
            return f"{{{', '.join(f'{_written(key)}: {_written(item)}' for key, item in value.items())}}}"
        case bool():
            return repr(value)
        case int() if value.bit_length() > 3 * MOST_DIGITS:
            return hex(value)
        case _:
            return repr(value)
