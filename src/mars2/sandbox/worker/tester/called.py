"""The candidate's side of an exchange: it is called by the test, and answers what the test asks of its objects."""

from __future__ import annotations

import importlib
import io
import operator
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from .. import encoding, protocol
from ..program.candidate import Candidate
from ..program.run_program import exit_code
from ..records import write_report
from . import by_value, errors
from .exchange import ASYNC_GENERATOR, COROUTINE, FUNCTION, Exchange

_MOST_ITEMS, _MOST_ITEM_S = 100_000, 0.5  # taken from an object that may have endless ones
_NUMBER = "_number_of_lent_error"  # attribute of an exception that a function of the test's raised
_OMITTED = type("omitted", (), {})()  # stands for the default of a parameter
_ANSWERS: dict[str, Callable[..., Any]] = {
    "call": lambda function, *args, **kwargs: function(*args, **kwargs),
    "str": str,
    "repr": repr,
    "format": format,
    "int": int,
    "index": operator.index,
    "float": float,
    "complex": complex,
    "next": next,
    "items": lambda value: _items(value),
    "await": lambda awaitable: run(_awaited(awaitable)),
    "async items": lambda items: run(gathered(items)),
}


class Called(Exchange):
    """The side of one candidate."""

    def __init__(self, candidate: Candidate) -> None:
        super().__init__()
        self._candidate = candidate
        self.readers = {**self.readers, b"L": self._of_library}

    def send(self, message: bytes) -> bytes:
        os.write(protocol.CONTROL, protocol.REPLY.pack(protocol.DONE, write_report(protocol.BOX, message), True))
        request = os.read(protocol.CONTROL, 64)
        return os.pread(protocol.BOX, int.from_bytes(request[1:9], "little"), 0)

    def named(self, name: str) -> Any:
        return self._candidate.function(name)

    def _of_library(self, reader: encoding.Reader, depth: int) -> Any:
        """Something of the library's, a class perhaps: the candidate could leave something in it for its next test."""
        self._candidate.may_share = False
        return by_value.READERS[b"L"](reader, depth)

    def answer(self, question: str, subject: Any, args: tuple[Any, ...], kwargs: dict[str, Any], around: Any) -> Any:
        if around is None:
            return _ANSWERS[question](subject, *args, **kwargs)
        self._candidate.may_share = False  # what the test has set would be there for its next test
        with _changed(self._candidate.main.__dict__, *around):
            return _ANSWERS[question](subject, *args, **kwargs)

    def report(self, error: BaseException) -> tuple[Any, ...]:
        if isinstance(error, SystemExit):
            return ("exit", exit_code(error), errors.described(error))
        return (*self._candidate.error(error), *self.described(error))

    def number_of(self, error: BaseException) -> int:
        number = getattr(error, _NUMBER, None)
        return number if type(number) is int else -1

    def like(self, description: Any, number: Any) -> BaseException:
        error = errors.error_like(description, self.readers)
        setattr(error, _NUMBER, number)
        return error

    def raised(self, report: Any) -> NoReturn:
        match report:
            case ("error", _, _, _, description, number):
                raise self.like(description, number)
            case _:
                raise RuntimeError("no answer of the test's")

    def unreadable(self, error: Exception) -> NoReturn:
        raise error

    def stand_in(self, number: int, use: bytes, type_name: str) -> Any:
        ask = self.asking(number)
        if use == COROUTINE:
            return _later(ask)
        if use == ASYNC_GENERATOR:
            return _each(ask)
        return _function(ask, *type_name.split("\0", 3)) if use == FUNCTION else Lent(ask)


def _function(
    ask: Callable[..., Any],
    name: str,
    parameters: str = "*args, **kwargs",
    given: str = "(), {}, args, kwargs",
    doc: str = "",
) -> Any:
    """A function of the test's, with the parameters that it has there; they are source text, as `given` is."""

    def call(first: tuple[Any, ...], named: dict[str, Any], rest: tuple[Any, ...], others: dict[str, Any]) -> Any:
        args = (*first, *named.values(), *rest) if rest else first
        kwargs = others if rest else {**named, **others}
        given = {key: value for key, value in kwargs.items() if value is not _OMITTED}
        return ask("call", *[value for value in args if value is not _OMITTED], **given)

    scope = {"__call": call, "__omitted": _OMITTED}
    function = eval(f"lambda {parameters}: __call({given})", scope)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc or None
    return function


class Lent:
    """An object of the test's, of which everything is asked there."""

    __slots__ = ("__weakref__", "_ask")

    def __init__(self, ask: Callable[..., Any]) -> None:
        object.__setattr__(self, "_ask", ask)

    def __getattr__(self, name: str) -> Any:
        return self._ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("del", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", *args, **kwargs)


_UNARY = "index eq ne lt le gt ge getitem setitem delitem contains neg pos abs invert"
_BINARY = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"


def _reflected(binary: Callable[..., Any]) -> Callable[..., Any]:
    return lambda right, left: binary(left, right)


OPERATORS: dict[str, Callable[..., Any]] = {
    "bool": bool,
    "hash": hash,
    "len": len,
    "iter": iter,
    "next": next,
    "str": str,
    "repr": repr,
    "format": format,
    "int": int,
    "float": float,
    "complex": complex,
    "round": round,
    "reversed": reversed,
    "divmod": divmod,
    "enter": lambda entered: type(entered).__enter__(entered),
    "exit": lambda entered, *error: type(entered).__exit__(entered, None, None, None),
    **{name: getattr(operator, f"__{name}__") for name in f"{_UNARY} {_BINARY}".split()},
    **{f"r{name}": _reflected(getattr(operator, f"__{name}__")) for name in _BINARY.split()},
}


def _operator(name: str) -> Callable[..., Any]:
    return lambda self, *args: self._ask(name, *args)


for _name in OPERATORS:
    setattr(Lent, f"__{_name}__", _operator(_name))


def _set_environment(values: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def _context() -> dict[str, Any]:
    context = importlib.import_module("decimal").getcontext()
    return {name: getattr(context, name) for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")}


def _set_context(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(importlib.import_module("decimal").getcontext(), name, value)


STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {  # of the library: how to read and to set them
    "random": (
        lambda: importlib.import_module("random").getstate(),
        lambda state: importlib.import_module("random").setstate(state),
    ),
    "numpy.random": (
        lambda: importlib.import_module("numpy.random").get_state(),
        lambda state: importlib.import_module("numpy.random").set_state(state),
    ),
    "environ": (lambda: dict(os.environ), _set_environment),
    "getcontext": (_context, _set_context),
    "setrecursionlimit": (sys.getrecursionlimit, lambda limit: sys.setrecursionlimit(limit)),
}


@contextmanager
def _changed(
    main: dict[str, Any], given: dict[str, Any], patches: list[tuple[str, str, Any]], states: dict[str, Any]
) -> Iterator[None]:
    """With what the test has set: globals of the program, attributes of modules, and states of the library."""
    main.update(given)
    for name, state in states.items():
        STATES[name][1](state)
    before: list[tuple[Any, str, Any]] = []
    printed: list[tuple[io.StringIO, Any]] = []
    for name, attribute, value in patches:
        module = importlib.import_module(name)
        before.append((module, attribute, getattr(module, attribute)))
        if module is sys and attribute in ("stdout", "stderr"):
            printed.append((io.StringIO(), value))
            value = printed[-1][0]
        setattr(module, attribute, value)
    try:
        yield
    finally:
        for module, attribute, value in reversed(before):
            setattr(module, attribute, value)
        for stream, theirs in printed:
            if text := stream.getvalue():
                theirs.write(text)


def _items(value: Any) -> tuple[Any, ...]:
    """Items, up to a bound, or a mapping, and whether these are all; of what has only a length, that."""
    kind = type(value)
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
        return dict(value), True
    if not hasattr(kind, "__iter__") and not (hasattr(kind, "__getitem__") and hasattr(kind, "__len__")):
        return (len(value),)
    items: list[Any] = []
    end_s = time.process_time() + _MOST_ITEM_S
    for item in value:
        items.append(item)
        if len(items) >= _MOST_ITEMS or time.process_time() > end_s:
            return items, False
    return items, True


def run(coroutine: Any) -> Any:
    """What a coroutine returns, in an event loop of its own, even while another waits for it."""
    import asyncio

    waiting = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return asyncio.run(coroutine)
    finally:
        asyncio._set_running_loop(waiting)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


async def gathered(items: Any) -> tuple[list[Any], bool]:
    """As `_items`, of an asynchronous iterator."""
    gathered: list[Any] = []
    end_s = time.process_time() + _MOST_ITEM_S
    async for item in items:
        gathered.append(item)
        if len(gathered) >= _MOST_ITEMS or time.process_time() > end_s:
            return gathered, False
    return gathered, True


async def _later(ask: Callable[..., Any]) -> Any:
    return ask("await")


async def _each(ask: Callable[..., Any]) -> AsyncIterator[Any]:
    for item in ask("async items")[0]:
        yield item
