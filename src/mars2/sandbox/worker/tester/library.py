"""How values of the standard library and of numpy are carried: by their class and the arguments that make them again.

Only the classes listed here are made from what a candidate sends.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

_NUMPY_KINDS = "biufcmMSU?"
_NAMED_IN = """
    array builtins collections datetime decimal enum fractions ipaddress numpy pathlib types uuid zoneinfo
"""  # modules whose classes are carried by name


def _text(value: Any) -> tuple[Any, ...]:
    return (str(value),)


def _of_time(value: Any) -> tuple[Any, ...]:
    return value.hour, value.minute, value.second, value.microsecond, value.tzinfo, value.fold


def _of_array(value: Any) -> tuple[Any, ...]:
    if value.dtype.kind not in _NUMPY_KINDS:
        return "O", value.shape, [*value.flat]  # a structured one too: its rows as tuples
    return value.dtype.str, value.shape, value.tobytes()


def _array(numpy: Any, dtype: str, shape: tuple[int, ...], items: Any) -> Any:
    if dtype != "O":
        return numpy.frombuffer(items, _dtype(numpy, dtype)).reshape(shape).copy()
    made = numpy.empty(len(items), object)
    made[:] = items
    return made.reshape(shape)


def _dtype(numpy: Any, name: str) -> Any:
    dtype = numpy.dtype(name)
    if dtype.kind not in _NUMPY_KINDS or dtype.itemsize == 0:
        raise ValueError(f"dtype {name}")
    return dtype


def blank_array(value: Any) -> tuple[str, tuple[int, ...]]:
    """What `empty_array` needs to know to make an array of the same kind."""
    return value.dtype.str if value.dtype.kind in _NUMPY_KINDS else "O", value.shape


def empty_array(dtype: str, shape: tuple[int, ...]) -> Any:
    return _numpy().empty(shape, dtype)


def array_content(value: Any) -> Any:
    return _of_array(value)[2]


def fill_array(value: Any, content: Any) -> None:
    value[...] = _array(_numpy(), *blank_array(value), content)


_ARGUMENTS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "array.array": lambda v: (v.typecode, v.tolist()),
    "builtins.NotImplementedType": lambda v: (),
    "builtins.ellipsis": lambda v: (),
    "builtins.mappingproxy": lambda v: (dict(v),),
    "builtins.memoryview": lambda v: (v.tobytes(),),
    "builtins.slice": lambda v: (v.start, v.stop, v.step),
    "collections.ChainMap": lambda v: tuple(v.maps),
    "datetime.date": lambda v: (v.year, v.month, v.day),
    "datetime.datetime": lambda v: (v.year, v.month, v.day, *_of_time(v)),
    "datetime.time": lambda v: _of_time(v),
    "datetime.timedelta": lambda v: (v.days, v.seconds, v.microseconds),
    "datetime.timezone": lambda v: v.__getinitargs__(),
    **{f"ipaddress.IPv{version}{kind}": _text for version in "46" for kind in ("Address", "Interface", "Network")},
    **{f"pathlib.{kind}Path": _text for kind in ("Posix", "PurePosix", "PureWindows")},
    "numpy.ndarray": _of_array,
    "uuid.UUID": lambda v: (v.hex,),
    "zoneinfo.ZoneInfo": lambda v: (v.key,),
}
_MAKERS: dict[str, Callable[..., Any]] = {
    "builtins.NotImplementedType": lambda: NotImplemented,
    "builtins.class": lambda module, name: _named(module, name),
    "builtins.ellipsis": lambda: ...,
    "builtins.mappingproxy": lambda mapping: type(type.__dict__)(mapping),
    "datetime.datetime": lambda *a: _class("datetime.datetime")(*a[:8], fold=a[8]),
    "datetime.time": lambda *a: _class("datetime.time")(*a[:5], fold=a[5]),
    "numpy.generic": lambda dtype, data: _array(_numpy(), dtype, (1,), data)[0],
    "numpy.ndarray": lambda *a: _array(_numpy(), *a),
}


def arguments_of(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """The name of a value's class and what makes an equal one; None if it is not carried in this way."""
    kind = type(value)
    if kind is type:
        module, name = value.__module__, value.__qualname__
        return ("builtins.class", (module, name)) if _named(module, name) is value else None
    if kind.__module__ == "numpy" and kind.__name__ != "ndarray" and getattr(value, "shape", None) == ():
        return ("numpy.generic", (value.dtype.str, value.tobytes())) if value.dtype.kind in _NUMPY_KINDS else None
    name = f"{kind.__module__}.{kind.__qualname__}".replace("pathlib._local.", "pathlib.")  # Python 3.13
    of = _ARGUMENTS.get(name)
    return None if of is None else (name, of(value))


def made(name: str, args: tuple[Any, ...]) -> Any:
    """The value. Raises whatever its class does with such arguments, and LookupError for another class."""
    if name in _MAKERS:
        return _MAKERS[name](*args)
    if name not in _ARGUMENTS:
        raise LookupError(name)
    return _class(name)(*args)


def _class(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _numpy() -> Any:
    return importlib.import_module("numpy")


def _named(module: object, name: object) -> Any:
    """The class of that name in a module whose classes are carried, if it is loaded; else None."""
    found: Any = sys.modules.get(module) if isinstance(module, str) and module in _NAMED_IN.split() else None
    if isinstance(name, str):
        found = getattr(types if name == "NoneType" else found, name, None)
    return found if isinstance(found, type) else None
