"""The library objects that a program which shares a process with its next test may use, and a check on them."""

from __future__ import annotations

import copy
import functools
import io
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable
from functools import cache
from itertools import combinations
from operator import is_
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
_RAISED_BY_BUILTINS = (ExceptionGroup, io.UnsupportedOperation)  # of the builtins all other types are immutable
_ALSO: dict[str, tuple[Any, ...]] = {  # what is in reach by what functions return or raise
    "": _RAISED_BY_BUILTINS,  # whatever is imported
    "copy": (copy.Error,),
    "functools": (functools._CacheInfo,),  # type: ignore[attr-defined]
    "re": (re.error, re.RegexFlag, *re.RegexFlag.__members__.values()),
}
_TEMPLATES: Any = getattr(re, "_compile_template", None) or re._compile_repl  # the latter until Python 3.11  # type: ignore[attr-defined]
_IMPORTED_MOST = ("collections", "heapq", "itertools", "math", "sys")  # in the order of their names
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


Contents = tuple[Any, Any]  # something that can be filled, and what it held


@cache
def _contents_of(module_name: str) -> tuple[tuple[Contents, ...], tuple[Contents, ...]]:
    """The attributes of a module's objects that can hold attributes; then the containers that are in reach of these."""
    if module_name in _UNCHECKED:
        return (), ()
    named: list[Any] = []
    if module_name:
        module = sys.modules[module_name]
        named = [getattr(module, name) for name in PURE[module_name] if hasattr(module, name)]
    things = in_reach([*named, *_ALSO.get(module_name, ())])
    containers = [value for thing in things for value in _values_of(thing) if isinstance(value, (list, dict, set))]
    return tuple((t.__dict__, dict(t.__dict__)) for t in things), tuple((held, held.copy()) for held in containers)


def _values_of(thing: Any) -> list[Any]:
    """What a program may get hold of in an object: values of attributes, and of defaults, which functions hand on."""
    values = [value for name, value in thing.__dict__.items() if not name.startswith("__")]
    if isinstance(thing, types.FunctionType):
        values += [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
    return values


def _same(container: Any, before: Any) -> bool:
    """Whether two containers of one length hold the same objects; objects that claim to be equal are not asked."""
    if isinstance(before, dict):
        return all(map(is_, container, before)) and all(map(is_, container.values(), before.values()))
    if isinstance(before, list):
        return all(map(is_, container, before))
    return set(map(id, container)) == set(map(id, before))


def remember_all() -> None:
    """Import and look at every module now, in the zygote, so that no child has to; and make what is wanted most."""
    for name in ("", *PURE):
        if name:
            __import__(name)
        _contents_of(name)
    for clear, _ in _CACHES.values():
        clear()
    for size in range(len(_IMPORTED_MOST) + 1):
        for modules in combinations(_IMPORTED_MOST, size):
            sentinels_of(modules)


def _forget_patterns() -> None:
    if _remembers_patterns():
        re.purge()


def _remembers_patterns() -> bool:
    return bool(re._cache or _TEMPLATES.cache_info()[3])  # type: ignore[attr-defined]


def _forget_types() -> None:
    for clear in typing._cleanups:  # type: ignore[attr-defined]
        clear()


def _remembers_types() -> bool:
    return any(clear.__self__.cache_info()[3] for clear in typing._cleanups)  # type: ignore[attr-defined]


_CACHES: dict[str, tuple[Callable[[], None], Callable[[], bool]]] = {  # these hold what they were given
    "re": (_forget_patterns, _remembers_patterns),
    "typing": (_forget_types, _remembers_types),
}


class Sentinels:
    """Remembers what the library objects in reach of an allowed program hold.

    Compared are the attributes of those that can have any, and as many elements as there were of what can be filled.
    """

    def __init__(self, modules: Collection[str]) -> None:
        contents = [_contents_of(module) for module in ("", *modules)]
        self._held = [held for attributes, _ in contents for held in attributes]
        self._containers = [held for _, containers in contents for held in containers]
        self._caches = [cache for module, cache in _CACHES.items() if module in modules]

    def forget(self) -> None:
        """Empty the caches that a program can fill. What they held may have finalizers, which run now."""
        for clear, _ in self._caches:
            clear()

    def untouched(self) -> bool:
        """Whether each object still has exactly what it had, and the caches are empty."""
        for attributes, before in self._held:
            if len(attributes) != len(before):
                return False
            for name, value in before.items():
                if attributes.get(name) is not value:
                    return False
        for container, before in self._containers:
            if len(container) != len(before) or (before and not _same(container, before)):
                return False
        return not any(remembers() for _, remembers in self._caches)


@cache
def sentinels_of(modules: tuple[str, ...]) -> Sentinels:
    """Those for a program that uses these library modules."""
    return Sentinels(modules)
