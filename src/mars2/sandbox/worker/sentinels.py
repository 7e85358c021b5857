"""The library objects that a program which shares a process with its next test may use, and a check on them."""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

_PUBLIC = frozenset({"*"})
_ALLOWED: dict[str, frozenset[str]] = {
    "atexit": frozenset({"register"}),
    "bisect": _PUBLIC,
    "cmath": _PUBLIC,
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"}),
    "copy": frozenset({"copy", "deepcopy"}),
    "functools": frozenset({"cache", "cmp_to_key", "lru_cache", "partial", "reduce"}),
    "heapq": _PUBLIC,
    "io": frozenset({"BytesIO", "StringIO", "IOBase", "TextIOWrapper", "BufferedReader", "BufferedWriter", "FileIO"}),
    "itertools": _PUBLIC,
    "math": _PUBLIC,
    "operator": frozenset(
        {"add", "and_", "eq", "floordiv", "ge", "gt", "itemgetter", "le", "lt", "mod", "mul", "ne", "neg", "not_"}
        | {"or_", "pow", "sub", "truediv", "xor"}
    ),
    "os": frozenset({"read", "write", "fstat"}),
    "re": frozenset({"compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub", "escape"}),
    "string": frozenset(
        {"ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "punctuation", "whitespace"}
    ),
    "sys": frozenset({"stdin", "stdout", "stderr", "exit", "maxsize", "setrecursionlimit", "getrecursionlimit"}),
    "time": frozenset({"time", "perf_counter", "monotonic"}),
    "typing": frozenset(
        {"Any", "Callable", "DefaultDict", "Deque", "Dict", "Generator", "Iterable", "Iterator", "List", "Optional"}
        | {"Sequence", "Set", "Tuple", "Union"}
    ),
}
_UNCHECKED = ("sys", "typing")  # streams are new for each test; names of typing only stand in annotations
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


def _public_names(module_name: str) -> frozenset[str]:
    return frozenset(name for name in dir(__import__(module_name)) if name[:1] != "_")


PURE = {module: _public_names(module) if names is _PUBLIC else names for module, names in _ALLOWED.items()}


def in_reach(things: Iterable[Any]) -> list[Any]:
    """All objects with attributes that can be set, to be had from `things` by attributes of attributes."""
    frontier, found = [*things], dict[int, Any]()
    while frontier:
        thing = frontier.pop()
        attributes = getattr(thing, "__dict__", None)
        if attributes is None or id(thing) in found or isinstance(thing, types.ModuleType):
            continue
        if isinstance(thing, type):
            if thing.__flags__ & _IMMUTABLE_TYPE:
                continue
            frontier.extend(thing.__bases__)
        else:
            frontier.append(type(thing))
        found[id(thing)] = thing
        frontier.extend(attributes.values())
    return [*found.values()]


@cache
def _attributes_of(module_name: str) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """The attributes of a module's objects that can hold attributes, each with a copy."""
    if module_name in _UNCHECKED:
        return ()
    module = sys.modules[module_name]
    things = in_reach(getattr(module, name) for name in PURE[module_name] if hasattr(module, name))
    return tuple((attributes, dict(attributes)) for attributes in (thing.__dict__ for thing in things))


def remember_all() -> None:
    """Import and look at every module now, in the zygote, so that no child has to."""
    for name in PURE:
        __import__(name)
        _attributes_of(name)


def _forget_types() -> None:
    for clear in typing._cleanups:  # type: ignore[attr-defined]
        clear()


_CACHES: dict[str, Callable[[], None]] = {"re": re.purge, "typing": _forget_types}  # these hold what they were given


class Sentinels:
    """Remembers the attributes of the library objects in reach of an allowed program that can hold attributes.

    Of the builtins there are none.
    """

    def __init__(self, modules: Collection[str]) -> None:
        self._held = [held for module in modules for held in _attributes_of(module)]
        self._clear = [clear for module, clear in _CACHES.items() if module in modules]

    def untouched(self) -> bool:
        """Whether each still has exactly the attributes it had. Empties the caches that a program can fill."""
        for clear in self._clear:
            clear()
        for attributes, before in self._held:
            if len(attributes) != len(before):
                return False
            for name, value in before.items():
                if attributes.get(name) is not value:
                    return False
        return True
