"""How exceptions are carried: the class of the language or library that they are of, and their plain values."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from typing import Any

from .. import encoding
from ..encoding import ReadValue
from ..program.run_program import message_of

_MOST_BYTES = 1 << 14  # of the values of an exception
_MOST_CAUSES = 3

Described = tuple[str, str, str, bytes]  # name of the class and message; class that it is derived from; values


def described(error: BaseException, causes: int = _MOST_CAUSES) -> Described:
    """What an exception like it is made of. It may be of a candidate's own making."""
    name = type(error).__name__[:100]
    base = next(path for kind in type(error).__mro__ if (path := _path_of(kind)))
    try:
        values = {key: value for key, value in vars(error).items() if not key.startswith("_")}
        cause = error.__cause__
        data = encoding.encode((error.args, values, described(cause, causes - 1) if cause and causes else None))
    except Exception:  # they may be anything
        data = b""
    return name, message_of(error), base, data if len(data) <= _MOST_BYTES else b""


def error_like(description: Any, readers: Mapping[bytes, ReadValue]) -> BaseException:
    """An exception like the one described.

    Raises:
        Exception: whatever comes of a description that is malformed.
    """
    name, message, base, data = description
    module, _, attribute = base.rpartition(".")
    kind: Any = _class(module, attribute) or RuntimeError
    try:
        if name != attribute:
            kind = type(name, (kind,), {"__str__": lambda _: message})
        args, values, cause = encoding.decode(data, readers)
    except Exception:  # a name that no class can have, or no values
        args, values, cause = (message,), {}, None
    try:
        error = kind(*args)
    except Exception:  # these are not what its class asks for
        error = kind.__new__(kind)
        error.args = args if type(args) is tuple else (message,)
    if type(values) is dict and all(type(key) is str and not key.startswith("_") for key in values):
        vars(error).update(values)
    if cause is not None:
        error.__cause__ = error_like(cause, readers)
    return error


def _path_of(kind: type) -> str:
    """Where the language or the library has an exception class that stands for any of its instances; else ""."""
    module, name = kind.__module__, kind.__name__
    return f"{module}.{name}" if isinstance(module, str) and _class(module, name) is kind else ""


def _class(module: str, name: str) -> Any:
    """The exception class of that name in a module of the library that is loaded; None if there is none."""
    if module.split(".")[0] not in sys.stdlib_module_names:
        return None
    kind = getattr(sys.modules.get(module, builtins), name, None)
    if not isinstance(kind, type) or not issubclass(kind, BaseException) or issubclass(kind, BaseExceptionGroup):
        return None
    return kind
