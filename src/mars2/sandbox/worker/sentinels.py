"""The library objects that a program which shares a process with its next test may use, and a check on them."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from functools import cache
from typing import Any

ANY = frozenset({"*"})
PURE: dict[str, frozenset[str]] = {
    "__future__": ANY,
    "atexit": frozenset({"register"}),
    "bisect": ANY,
    "cmath": ANY,
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"}),
    "copy": frozenset({"copy", "deepcopy"}),
    "functools": frozenset({"cache", "cmp_to_key", "lru_cache", "partial", "reduce"}),
    "heapq": ANY,
    "io": frozenset({"BytesIO", "StringIO", "IOBase", "TextIOWrapper", "BufferedReader", "BufferedWriter", "FileIO"}),
    "itertools": ANY,
    "math": ANY,
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
    "time": frozenset({"time", "perf_counter", "monotonic", "process_time"}),
    "typing": frozenset(
        {"Any", "Callable", "DefaultDict", "Deque", "Dict", "Generator", "Iterable", "Iterator", "List", "Optional"}
        | {"Sequence", "Set", "Tuple", "Union"}
    ),
}


@cache
def _attributes_of(module_name: str) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """The attributes of a module's objects that can hold attributes, each with a copy."""
    module = sys.modules.get(module_name)
    names = PURE[module_name]
    held: list[tuple[Any, dict[str, Any]]] = []
    for name in dir(module) if names is ANY else names:
        thing = getattr(module, name, None)
        attributes = getattr(thing, "__dict__", None)
        if attributes is not None and not isinstance(thing, types.ModuleType):
            held.append((attributes, dict(attributes)))
    return tuple(held)


def remember_all() -> None:
    """Import and look at every module now, in the zygote, so that no child has to."""
    for name in PURE:
        __import__(name)
        _attributes_of(name)


class Sentinels:
    """Remembers the attributes of the library objects in reach of an allowed program that can hold attributes."""

    def __init__(self, modules: Iterable[str]) -> None:
        self._held = [held for module in modules for held in _attributes_of(module)]

    def untouched(self) -> bool:
        """Whether each still has exactly the attributes it had."""
        for attributes, before in self._held:
            if len(attributes) != len(before):
                return False
            for name, value in before.items():
                if attributes.get(name) is not value:
                    return False
        return True
