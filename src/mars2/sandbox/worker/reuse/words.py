"""The words of the small language whose programs may share a process: what they name can be neither marked nor filled.

Whatever is not listed here is not in the language; a program that names it is given a fresh process for every test.
"""

from __future__ import annotations

import builtins
import collections
import functools
import importlib
import io
import re
import types
from typing import Any

_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


def is_inert(thing: Any) -> bool:
    """Whether a program can leave nothing in an object: a number, a text, an immutable class, a function in C."""
    if isinstance(thing, type):
        return bool(thing.__flags__ & _IMMUTABLE_TYPE)
    return isinstance(thing, (int, float, complex, str, types.BuiltinFunctionType))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Exceptions that may be caught: none of them says that memory or the stack is used up, which depends on earlier tests.
# (NameError does: it takes the place of any other where `except` names a class that does not exist yet.)
CAUGHT = _words("""
ArithmeticError AssertionError AttributeError EOFError FloatingPointError IndexError KeyError LookupError
NotImplementedError OverflowError StopIteration SystemExit TypeError UnicodeError ValueError ZeroDivisionError
""")
BASES = CAUGHT | _words("Exception dict list object set")  # of classes, besides the program's own
TYPES = _words("Exception bytearray bytes dict float frozenset int list object set str tuple")
GUARDED = _words("open super type")  # builtins with a rule of their own
_BUILTINS = (
    BASES
    | TYPES
    | GUARDED
    | _words("""
abs all any ascii bin bool callable chr classmethod complex divmod enumerate exit filter format hex input isinstance
issubclass iter len map max min next oct ord pow print property quit range repr reversed round slice sorted staticmethod
sum zip Ellipsis False None NotImplemented True RuntimeError
""")
)
FORBIDDEN = frozenset(dir(builtins)) - _BUILTINS

_METHODS = _words("""
abs add and bool call contains delitem divmod eq float floordiv ge getitem gt hash iadd iand imul index init int invert
ior isub iter le len lshift lt matmul missing mod mul ne neg next or pos pow radd rand repr reversed rmul ror rshift
rsub rtruediv rxor setitem slots str sub truediv xor
""")
DEFINED = frozenset(f"__{name}__" for name in _METHODS)  # only the program and the interpreter have a use for them
READ = _words("__add__ __contains__ __getitem__ __len__ __mul__ __name__ __setitem__")  # of any object

_WHOLE = _words("bisect cmath collections heapq itertools math string")  # all in them that is inert
VALUES: dict[str, frozenset[str]] = {  # what of a module may be used in any way
    **{
        module: frozenset(
            n for n, thing in vars(importlib.import_module(module)).items() if n[:1] != "_" and is_inert(thing)
        )
        for module in _WHOLE
    },
    "copy": frozenset(),
    "functools": _words("cmp_to_key partial reduce"),
    "operator": _words("add and_ eq floordiv ge gt itemgetter le lt mod mul ne neg not_ or_ pow sub truediv xor"),
    "re": frozenset(),
    "sys": _words("exit getrecursionlimit maxsize setrecursionlimit stderr stdin stdout"),  # streams are each test's
    "typing": frozenset(),
}
CALLED: dict[str, frozenset[str]] = {  # what of a module is written in Python, and may only be called or decorate
    "collections": _words("Counter namedtuple"),
    "copy": _words("copy deepcopy"),
    "functools": _words("cache lru_cache"),
    "heapq": _words("merge nlargest nsmallest"),
    "re": _words("compile findall finditer fullmatch match search split sub"),
}
TYPING = _words("""
Any Callable DefaultDict Deque Dict Generator Iterable Iterator List Optional Sequence Set Tuple Union
""")  # only stand in annotations
MOST_ARGUMENTS = {  # of functions that hand a further one what is theirs
    "copy": {"copy": 1, "deepcopy": 1},
    "re": {"compile": 1, "findall": 2, "finditer": 2, "fullmatch": 2, "match": 2, "search": 2, "split": 2, "sub": 3},
}

# Attributes of objects that are not the program's own. Those that no such object has are the program's to choose.
_ATTRIBUTES = _words("""
capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha isascii isdecimal isdigit
isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition
removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase
title translate upper zfill decode fromhex hex
append clear copy extend insert pop remove reverse sort
fromkeys get items keys popitem setdefault update values default_factory move_to_end elements most_common subtract total
add difference difference_update discard intersection intersection_update isdisjoint issubset issuperset
symmetric_difference symmetric_difference_update union
appendleft extendleft popleft rotate maxlen
as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes
buffer close closed encoding errors flush mode name read readline readlines write writelines
deleter getter setter func keywords cache_clear send
end expand group groupdict groups span start sub indices step stop
args code filename lineno msg object offset path reason text value
_asdict _fields _make _replace
""")
_REACHED = [
    *(thing for owner in (builtins, types) for thing in vars(owner).values() if isinstance(thing, type)),
    *(io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.FileIO),
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(functools.partial, type(functools.cmp_to_key(pow)), type(functools.cache(pow))),
    *(re.Pattern, re.Match, type({}.keys())),
]
HIDDEN = frozenset(name for kind in _REACHED for name in dir(kind)) - _ATTRIBUTES
