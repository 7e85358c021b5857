"""Runs assertion tests apart from the candidate: the tester has a jail of its own and calls the candidate by value.

What comes back are plain values, so an object that claims to be equal to everything does not get through, and nothing
the candidate does in its own process can end or skip an assertion.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import os
import sys
import types
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any, NoReturn

from .. import encoding, protocol
from ..encoding import EncodingError
from ..program.run_program import assertion_message, message_of
from . import called, crossing, errors, stand_in
from .exchange import ASYNC_GENERATOR, COROUTINE, FUNCTION, OBJECT, Exchange
from .reading import MODULES, Sets, what_it_sets

_ONLY_CALLED = (  # and looked into by nobody: the test and this module are behind their attributes
    *(type, types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, types.CodeType),
    *(types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, types.FrameType, types.TracebackType),
)
_ABSENT: Any = object()


def run(code: str, names: tuple[str, ...]) -> Any:
    """Run a test in the tester's process. The report is ("done",), ("exit", …), ("error", …) or ("lacks", module)."""
    stand_in.forget()
    crossing.forget()
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins, **crossing.NAMES}
    for name in MODULES:
        namespace[name] = importlib.import_module(name)
    report: Any = ("done",)
    testing: _Testing | None = None
    try:
        tree = ast.parse(code, protocol.TEST_NAME)
        testing = _Testing(code, namespace, what_it_sets(tree))
        for name in names:
            namespace[name] = testing.function(name)
        exec(crossing.compiled(tree, code, protocol.TEST_NAME), namespace)
    except crossing.Crossing as crossed:
        report = getattr(crossed.error, crossing.REPORT)
    except BaseException as error:
        report = getattr(error, crossing.REPORT, None) or _report_of(error, code)
    finally:
        if testing is not None:
            testing.restore()
    if question := stand_in.asked():  # even if the test caught what it raised
        return ("error", "AssertionError", f"needs more than a plain value: {question}", "")
    if report == ("done",) and (lost := crossing.lost()):
        return ("error", "AssertionError", lost, "")
    return report


def _report_of(error: BaseException, code: str) -> Any:
    """The report of what the test itself raised."""
    missing = error.name.split(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else ""
    if missing and missing in code:
        return ("lacks", missing)
    return ("error", type(error).__name__, assertion_message(error, code), "")


class _Testing(Exchange):
    """The side of one test."""

    plain = encoding.SCALARS  # a list of the test's own class stays where it is

    def __init__(self, code: str, namespace: dict[str, Any], sets: Sets) -> None:
        super().__init__()
        self.readers = {**self.readers, b"o": lambda reader, _: stand_in.Unseen(reader.text(), _cannot_say)}
        self._code, self._namespace, self._sets = code, namespace, sets
        self._functions: dict[int, str] = {}  # names of the candidate's functions, by id of what stands for them
        self._given: dict[str, Any] = {}  # globals that the candidate was given
        self._places = [found for place in sets.places if (found := _found(*place))]
        self._before = {name: called.STATES[name][0]() for name in sets.states}
        self._states = {**self._before}  # as the candidate knows them
        for name in sets.seeds:
            if name in sys.modules:
                self._watch(name)

    def restore(self) -> None:
        """Undo what the test has set, for the next one."""
        for module, attribute, before in self._places:
            setattr(module, attribute, before)
        for name, before in self._before.items():
            called.STATES[name][1](before)

    def function(self, name: str) -> Callable[..., Any]:
        """Stands for a function of the candidate's."""

        def proxy(*args: Any, **kwargs: Any) -> Any:
            return self.ask("call", name, args, kwargs)

        proxy.__name__ = proxy.__qualname__ = name
        self._functions[id(proxy)] = name
        return proxy

    def ask(
        self, question: str, subject: int | str, args: tuple[Any, ...], kwargs: dict[str, Any], around: Any = None
    ) -> Any:
        try:
            return super().ask(question, subject, args, kwargs, self._around())
        except EncodingError as error:
            stand_in.fail(f"an argument: {error}")

    def _around(self) -> Any:
        """What the test has set for the program: see `called`. None if there is nothing."""
        patches = [
            (module.__name__, attribute, value)
            for module, attribute, before in self._places
            if (value := getattr(module, attribute, None)) is not before
        ]
        given = {
            name: value
            for name in self._sets.names
            if (value := self._namespace.get(name, _ABSENT)) is not _ABSENT
            and (isinstance(value, (list, dict, set)) or self._given.get(name, _ABSENT) is not value)
        }
        self._given |= given
        states = {
            name: state
            for name, before in self._states.items()
            if (state := called.STATES[name][0]()) is not before and repr(state) != repr(before)
        }
        self._states |= states
        return (given, patches, states) if given or patches or states else None

    def _watch(self, name: str) -> None:
        """Note when a module's generator is seeded."""
        module: Any = importlib.import_module(name)
        seed = getattr(module.seed, "__wrapped__", module.seed)

        @wraps(seed)
        def noted(*args: Any, **kwargs: Any) -> None:
            self._states[name] = None
            seed(*args, **kwargs)

        module.seed = noted

    def send(self, message: bytes) -> bytes:
        os.ftruncate(protocol.BOX, 0)
        protocol.write_all(protocol.BOX, message)
        os.write(protocol.CONTROL, protocol.REPLY.pack(protocol.CALLING, len(message), 0))
        request = os.read(protocol.CONTROL, 64)
        return os.pread(protocol.BOX, int.from_bytes(request[1:9], "little"), 0)

    def name_of(self, value: Any) -> str:
        if type(value) is types.FunctionType:
            return _signature(value)
        return value.__name__ if self.use_of(value) == FUNCTION else super().name_of(value)

    def use_of(self, value: Any) -> bytes:
        is_object = callable(value) and not issubclass(type(value), _ONLY_CALLED)  # one with attributes too
        return OBJECT if is_object else super().use_of(value)

    def refer(self, value: Any) -> bytes:
        name = self._functions.get(id(value))
        if name is not None:
            data = name.encode("utf-8", "surrogatepass")
            return b"n" + len(data).to_bytes(4, "little") + data
        if issubclass(type(value), types.ModuleType):
            raise EncodingError("a module")
        return super().refer(value)

    def answer(self, question: str, subject: Any, args: tuple[Any, ...], kwargs: dict[str, Any], around: Any) -> Any:
        """What the candidate does with an object of the test's: it sees no private name, and only calls functions."""
        if question == "call":
            return subject(*args, **kwargs)
        if question in ("await", "async items"):
            return called.run(subject if question == "await" else called.gathered(subject))
        if issubclass(type(subject), _ONLY_CALLED):
            raise AttributeError(f"{type(subject).__name__!r} object of the test, which can only be called")
        if question in called.OPERATORS:
            return called.OPERATORS[question](subject, *args)
        name, *value = args
        if type(name) is not str or name.startswith("_"):
            raise AttributeError(f"{type(subject).__name__!r} object has no attribute {name!r}")
        return {"get": getattr, "set": setattr, "del": delattr}[question](subject, name, *value)

    def report(self, error: BaseException) -> tuple[Any, ...]:
        if isinstance(error, crossing.Crossing):
            crossing.close(error.error)  # it goes back to the program
            error = error.error
        elif isinstance(error, AssertionError):
            crossing.remember(assertion_message(error, self._code))
        return ("error", type(error).__name__, message_of(error), "", *self.described(error))

    def number_of(self, error: BaseException) -> int:
        return self.keep(error)

    def like(self, description: Any, number: Any) -> BaseException:
        if type(number) is int and 0 <= number < len(self._kept) and isinstance(self._kept[number], BaseException):
            return self._kept[number]  # of the test's own
        return errors.error_like(description, self.readers)

    def raised(self, report: Any) -> NoReturn:
        match report:
            case ("error", str(name), str(message), lines, tuple(description), int(number)):
                error = self._like(description, number)
                setattr(error, crossing.REPORT, ("error", name, message, str(lines)))
            case ("exit", int(code), tuple(description)):
                error = self._like(description, -1)
                setattr(error, crossing.REPORT, ("exit", code))
            case ("unsent", str(why)):
                stand_in.fail(f"a returned value: {why}")
            case _:
                stand_in.fail("an answer")
        raise crossing.crossed(error) from None

    def _like(self, description: Any, number: int) -> BaseException:
        try:
            return self.like(description, number)
        except Exception as error:  # it may be anything
            self.unreadable(error)

    def unreadable(self, error: Exception) -> NoReturn:
        stand_in.fail(f"a returned value: {error}")

    def stand_in(self, number: int, use: bytes, type_name: str) -> Any:
        ask = self.asking(number)
        if use == COROUTINE:
            return _later(ask)
        if use == ASYNC_GENERATOR:
            return _each(ask)
        return (stand_in.UnseenFunction if use == FUNCTION else stand_in.Unseen)(type_name, _asking(ask))


def _signature(function: types.FunctionType) -> str:
    """Of a function: its name, its parameters and how `called` passes them on as source, and its text."""
    code = function.__code__
    names = [*code.co_varnames]
    first, count, keywords = code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount
    positional, only = names[:count], names[count : count + keywords]
    others = names[count + keywords :]
    rest = others.pop(0) if code.co_flags & inspect.CO_VARARGS else ""
    more = others.pop(0) if code.co_flags & inspect.CO_VARKEYWORDS else ""
    with_default = {*positional[count - len(function.__defaults__ or ()) :], *(function.__kwdefaults__ or {})}
    written = [f"{name}=__omitted" if name in with_default else name for name in (*positional, *only)]
    if only or rest:
        written.insert(count, f"*{rest}")
    if first:
        written.insert(first, "/")
    parameters = ", ".join((*written, f"**{more}") if more else written)
    named, others = ("".join(f"{n!r}: {n}, " for n in some) for some in (positional[first:], only))
    others += f"**{more}" if more else ""
    args = "".join(f"{name}, " for name in positional[:first])
    given = f"({args}), {{{named}}}, {rest or '()'}, {{{others}}}"
    return "\0".join((function.__name__, parameters, given, function.__doc__ or ""))


def _asking(ask: Callable[..., Any]) -> Callable[..., Any]:
    """The same, for a stand-in: what has no plain answer is no exception that a test could expect."""

    def ask_for_value(question: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return ask(question, *args, **kwargs)
        except crossing.Crossing:
            if question in ("call", "next", "await"):
                raise
            stand_in.fail(question)

    return ask_for_value


async def _later(ask: Callable[..., Any]) -> Any:
    return ask("await")


async def _each(ask: Callable[..., Any]) -> AsyncIterator[Any]:
    items, is_whole = ask("async items")
    for item in items:
        yield item
    if not is_whole:
        stand_in.fail("an iterator for more items")


def _cannot_say(question: str, *_: Any, **__: Any) -> NoReturn:
    stand_in.fail(question)


def _found(name: str, attribute: str) -> tuple[Any, str, Any] | None:
    """A module of the library, the name of an attribute and its value; None if there is none."""
    try:
        module = importlib.import_module(name)
        return module, attribute, getattr(module, attribute)
    except (ImportError, AttributeError):
        return None
