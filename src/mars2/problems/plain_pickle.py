"""Reads pickles that are not trusted: only text, numbers, lists and dictionaries are built, and nothing is called."""

from __future__ import annotations

import pickle
import pickletools
from io import BytesIO
from typing import Any, NoReturn

_ALLOWED = frozenset(
    {"PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "BINGET"}
    | {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
    | {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
    | {"EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
)
"""Left out on purpose: opcodes that name a global, call something, or choose a memo index (LONG_BINPUT)."""
MAX_OPCODES = 100_000
"""More are refused: each may build an object. The official cells take five."""


class ForbiddenPickle(ValueError):
    """The pickle is broken, or would build something other than plain data."""


def loads(data: bytes) -> Any:
    """The plain data pickled in `data` (protocols 2 and up).

    Every opcode is checked against a list before anything is built, and the unpickler itself refuses all globals.

    Raises:
        ForbiddenPickle
    """
    try:
        for number, (opcode, _, _) in enumerate(pickletools.genops(data)):
            if number == MAX_OPCODES:
                raise ForbiddenPickle(f"pickle of more than {MAX_OPCODES} parts")
            if opcode.name not in _ALLOWED:
                raise ForbiddenPickle(f"pickle opcode {opcode.name} is not allowed: it can build more than plain data")
        return _PlainUnpickler(BytesIO(data)).load()
    except ForbiddenPickle:
        raise
    except Exception as error:  # pickle raises nearly every type on broken input
        raise ForbiddenPickle(f"broken pickle: {error}") from None


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise ForbiddenPickle(f"pickle asks for {module_name}.{global_name}")
