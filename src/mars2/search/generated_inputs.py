"""Makes inputs like a problem's public tests, to see which programs behave alike on them.

The inputs are a function of the public tests and a seed. See `mutate_values` (arguments of calls) and `mutate_stdin`
(text). The tests made here have no expected output ("" or None): only the programs' outputs are compared.
"""

# Values are whatever tests hold.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mars2.core.problem import AssertTest, CallTest, StdioTest, Test
from mars2.search import mutate_stdin
from mars2.search.mutate_values import Traits, mutate, resize, traits_of

_TRIES_PER_INPUT = 8
_MAX_CHARACTERS = 20_000  # of a call's arguments; longer examples show nothing that shorter ones do not
_SIZED = (list, tuple, str)


def generate_inputs(
    tests: Sequence[Test], count: int, rng: np.random.Generator, *, entry_point: str | None = None
) -> tuple[Test, ...]:
    """At most `count` different new inputs, none of them a public one; fewer if the tests show too little.

    Args:
        tests: a problem's public tests.
        entry_point: the function that HumanEval-like tests call `candidate`.
    """
    makers = [*_stdin_makers(tests), *_call_makers(calls_in(tests, entry_point))]
    if not makers:
        return ()
    seen = {_key(test) for test in (*tests, *calls_in(tests, entry_point))}
    found: list[Test] = []
    for attempt in range(_TRIES_PER_INPUT * count):
        if len(found) == count:
            break
        test = makers[attempt % len(makers)](rng)
        if _key(test) not in seen:
            seen.add(_key(test))
            found.append(test)
    return tuple(found)


def calls_in(tests: Sequence[Test], entry_point: str | None = None) -> list[CallTest]:
    """The calls with literal arguments in tests: call tests, and ``f(1, [2]) == 3`` in assertion tests."""
    found: list[CallTest] = []
    for test in tests:
        match test:
            case CallTest(function, args, _, types) if types[:1] != ("operations",):
                found.append(CallTest(function, tuple(args), None, types))
            case AssertTest(code):
                found += _asserted_calls(code, entry_point)
            case StdioTest() | CallTest():
                pass
    return found


def _asserted_calls(code: str, entry_point: str | None) -> Iterator[CallTest]:
    try:
        module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in ast.walk(module):
        if not isinstance(statement, ast.Assert):
            continue
        for node in ast.walk(statement.test):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
                continue
            name = entry_point if node.func.id == "candidate" and entry_point else node.func.id
            if name != entry_point and (entry_point is not None or name in dir(builtins)):
                continue
            try:
                yield CallTest(name, tuple(ast.literal_eval(arg) for arg in node.args), None)
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue


def _stdin_makers(tests: Sequence[Test]) -> list[Callable[[np.random.Generator], Test]]:
    texts = [test.input for test in tests if isinstance(test, StdioTest)]
    if not texts:
        return []
    grammar = mutate_stdin.infer(texts)
    grammars = [grammar] if grammar is not None else [g for text in texts if (g := mutate_stdin.infer([text]))]
    return [lambda rng, g=g: StdioTest(mutate_stdin.generate(g, rng), "") for g in grammars]


def _call_makers(calls: Sequence[CallTest]) -> list[Callable[[np.random.Generator], Test]]:
    shapes: dict[tuple[str, int], list[CallTest]] = {}
    for call in calls:
        if call.args and len(repr(call.args)) <= _MAX_CHARACTERS:
            shapes.setdefault((call.function, len(call.args)), []).append(call)
    columns = {
        shape: [traits_of(column) for column in zip(*(call.args for call in calls), strict=True)]
        for shape, calls in shapes.items()
    }
    return [lambda rng, s=shape: _mutated_call(shapes[s], columns[s], rng) for shape in shapes]


def _mutated_call(calls: Sequence[CallTest], columns: Sequence[Traits], rng: np.random.Generator) -> CallTest:
    """One of the calls, with each argument changed or not. Relations between lengths and numbers are kept."""
    base = calls[int(rng.integers(len(calls)))]
    examples = [call.args for call in calls]
    chosen = rng.random(len(columns)) < 0.7
    chosen[int(rng.integers(len(columns)))] = True
    args = [
        mutate(arg, traits, rng) if hit else arg for arg, traits, hit in zip(base.args, columns, chosen, strict=True)
    ]
    places = range(len(args))
    for i in places:
        for j in places:
            if i == j or not isinstance(args[j], _SIZED):
                continue
            if _always(examples, i, j, _same_length) and i > j and isinstance(args[i], list):
                args[i] = resize(args[i], len(args[j]), columns[i], rng)
            elif _always(examples, i, j, _is_length):
                args[i] = len(args[j])
            elif len(examples) > 1 and _always(examples, i, j, _within_length):
                args[i] = min(args[i], len(args[j]))
    return CallTest(base.function, tuple(args), None, base.types)


def _always(examples: Sequence[tuple[Any, ...]], i: int, j: int, holds: Callable[[Any, Any], bool]) -> bool:
    return all(isinstance(args[j], _SIZED) and holds(args[i], args[j]) for args in examples)


def _same_length(value: Any, sized: Any) -> bool:
    return isinstance(value, list) and isinstance(sized, list) and len(value) == len(sized)


def _is_length(value: Any, sized: Any) -> bool:
    return type(value) is int and value == len(sized)


def _within_length(value: Any, sized: Any) -> bool:
    return type(value) is int and 0 <= value <= len(sized)


def _key(test: Test) -> str:
    match test:
        case StdioTest(text, _):
            return "\n".join(" ".join(line.split()) for line in text.strip().split("\n"))
        case CallTest(function, args, _):
            return f"{function}{args!r}"
        case AssertTest(code):
            return code
