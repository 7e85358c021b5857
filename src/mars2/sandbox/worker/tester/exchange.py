"""The conversation of a tester and a candidate: each calls what the other has, one at a time, and waits for the answer.

A message is ("ask", question, subject, kinds of containers, values) or a report: ("value", bytes), ("unsent", why),
("exit", code, description) or ("error", type, message, traceback, description, number). Whoever waits for a report
serves the questions that come first. So a test may pass functions and objects of its own to the candidate, and call
what the candidate returns.
"""

from __future__ import annotations

import struct
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .. import encoding
from ..encoding import EncodingError
from ..recursion import make_room
from . import by_value, errors

_U32 = struct.Struct("<I")
OBJECT, FUNCTION, COROUTINE, ASYNC_GENERATOR = b"o", b"f", b"c", b"a"  # how a reference may be used


class Exchange:
    """One side of it. The other side does `answer`."""

    plain: tuple[type, ...] = encoding.PLAIN  # see `by_value.References`

    def __init__(self) -> None:
        self._lock = threading.RLock()  # one thread of this side at a time
        self.readers: Mapping[bytes, encoding.ReadValue] = {
            **by_value.READERS,
            b"h": self._theirs,
            b"y": self._ours,
            b"n": lambda reader, _: self.named(reader.text()),
            b"x": lambda reader, depth: self.like(*reader.value(depth)),
        }
        self._kept: list[Any] = []  # objects of this side that the other has references to, by number
        self._numbers: dict[int, int] = {}  # of these, by id
        self._standing_in: dict[int, Any] = {}  # what stands here for objects of the other side, by number
        self._stood_for: dict[int, int] = {}  # numbers of the other side's objects, by id of what stands for them
        self._passed: dict[int, Any] = {}  # containers passed to the calls that made coroutines, by id of these

    def send(self, message: bytes) -> bytes:
        """Send a message to the other side and wait for its next."""
        raise NotImplementedError

    def answer(self, question: str, subject: Any, args: tuple[Any, ...], kwargs: dict[str, Any], around: Any) -> Any:
        """What the other side asks for. Raises whatever comes of it."""
        raise NotImplementedError

    def named(self, name: str) -> Any:
        """What is meant by a name."""
        raise NotImplementedError

    def stand_in(self, number: int, use: bytes, type_name: str) -> Any:
        """What stands here for an object of the other side."""
        raise NotImplementedError

    def report(self, error: BaseException) -> tuple[Any, ...]:
        """The report of an exception."""
        raise NotImplementedError

    def raised(self, report: Any) -> NoReturn:
        """Raise what a report that holds no value says."""
        raise NotImplementedError

    def unreadable(self, error: Exception) -> NoReturn:
        """Raise for a report that is malformed."""
        raise NotImplementedError

    def ask(
        self, question: str, subject: int | str, args: tuple[Any, ...], kwargs: dict[str, Any], around: Any = None
    ) -> Any:
        """What the other side answers. Raises what it raises; EncodingError if an argument cannot be sent."""
        kinds, values, passed = by_value.pack_call(args, kwargs, around, self)
        if question in _LATER:
            passed = self._passed.get(id(self._standing_in[int(subject)]), passed)
        with self._lock:
            reply = self.send(encoding.encode(("ask", question, subject, kinds, values)))
            while reply.startswith(_QUESTION):
                reply = self.send(self.serve(reply))
        try:
            report = encoding.decode(reply)
            match report:
                case ("value", bytes(data)):
                    value = by_value.unpack_result(data, passed, self)
                    if type(value) in _USES:
                        self._passed[id(value)] = passed
                    return value
                case _:
                    pass
        except Exception as error:  # it may be anything
            self.unreadable(error)
        return self.raised(report)

    def serve(self, message: bytes) -> bytes:
        """Answer a question; returns the report."""
        try:
            _, question, subject, kinds, values = encoding.decode(message)
            args, kwargs, around, passed = by_value.unpack_call(kinds, values, self)
            found = self.named(subject) if isinstance(subject, str) else self._kept[subject]
            passed = self._passed.get(id(found), passed) if question in _LATER else passed
            value = self.answer(question, found, args, kwargs, around)
            if type(value) in _USES:
                self._passed[id(value)] = passed
            make_room()
            try:
                report: Any = ("value", by_value.pack_result(value, passed, self))
            except EncodingError as error:
                report = ("unsent", str(error))
        except BaseException as error:
            report = self.report(error)
        return encoding.encode(report)

    def refer(self, value: Any) -> bytes:
        """See `by_value.References`."""
        number = self._stood_for.get(id(value))
        if number is not None:
            return b"y" + _U32.pack(number)
        data = self.name_of(value).encode("utf-8", "surrogatepass")
        return b"h" + _U32.pack(self.keep(value)) + self.use_of(value) + _U32.pack(len(data)) + data

    def described(self, error: BaseException) -> tuple[Any, ...]:
        """See `by_value.References`."""
        return errors.described(error), self.number_of(error)

    def number_of(self, error: BaseException) -> int:
        """The number of an exception of the test's; -1 if it is none."""
        raise NotImplementedError

    def like(self, description: Any, number: Any) -> BaseException:
        """See `by_value.References`."""
        raise NotImplementedError

    def name_of(self, value: Any) -> str:
        """What is told of an object: the name of its class, or more."""
        return type(value).__qualname__[:200]

    def use_of(self, value: Any) -> bytes:
        """How the other side may use it."""
        return _USES.get(type(value)) or (FUNCTION if callable(value) else OBJECT)

    def keep(self, value: Any) -> int:
        """The number under which the other side knows an object of this one."""
        number = self._numbers.setdefault(id(value), len(self._kept))
        if number == len(self._kept):
            self._kept.append(value)
        return number

    def _theirs(self, reader: encoding.Reader, _: int) -> Any:
        number, use, type_name = reader.length(), reader.take(1), reader.text()
        if number not in self._standing_in:
            made = self._standing_in[number] = self.stand_in(number, use, type_name)
            self._stood_for[id(made)] = number
        return self._standing_in[number]

    def _ours(self, reader: encoding.Reader, _: int) -> Any:
        number = reader.length()
        if number >= len(self._kept):
            raise EncodingError("no such object")
        return self._kept[number]

    def asking(self, number: int) -> Callable[..., Any]:
        """A function of a question and its arguments, about an object of the other side."""
        return lambda question, *args, **kwargs: self.ask(question, number, args, kwargs)


_LATER = ("await", "async items")  # questions that run what a call has made
_QUESTION = encoding.encode(("ask",) * 5)[:13]  # how each begins


_USES = {types.CoroutineType: COROUTINE, types.AsyncGeneratorType: ASYNC_GENERATOR}
