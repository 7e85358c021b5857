"""What a tester and a candidate in two jails send each other: values by exact type, and which container is which.

Beyond what `encoding` carries there are here the containers of `collections`, ranges, views of dictionaries and
iterators (whose items are taken beforehand, up to a bound). Each list, dictionary, set … that a test passes has a
number on both sides. So what the candidate does to it happens to the tester's own too, and what is returned of it is
the tester's own again.
"""

from __future__ import annotations

import builtins
import itertools
import struct
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from time import process_time
from typing import Any

from .. import encoding
from ..encoding import EncodingError, Opaque, Special
from .stand_in import Unseen, fail, type_name_of

FROM_CANDIDATE = "_raised_by_candidate"  # attribute of an exception that came out of a call
_MOST_ITEMS, _MOST_ITEM_BYTES, _MOST_ITEM_S = 100_000, 1 << 19, 0.5  # taken from an iterator, which may be endless
_MOST_ERROR_BYTES = 1 << 14  # of the arguments of an exception
_U32 = struct.Struct("<I")
_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes, Decimal, Fraction, Unseen})
_FACTORIES = {None: "", bool: "bool", int: "int", float: "float", str: "str", bytes: "bytes"} | {
    kind: kind.__name__ for kind in (list, tuple, set, frozenset, dict)
}
_KIND_OF_FACTORY: dict[str, Any] = {name: kind for kind, name in _FACTORIES.items()}
_MAPPINGS: dict[type, bytes] = {OrderedDict: b"O", Counter: b"C", defaultdict: b"M"}
_MUTABLE = frozenset({list, set, bytearray, deque, dict, *_MAPPINGS})
_VIEWS: dict[type, bytes] = {type({}.keys()): b"k", type({}.values()): b"v", type({}.items()): b"m"} | {
    type(OrderedDict().keys()): b"k",
    type(OrderedDict().values()): b"v",
    type(OrderedDict().items()): b"m",
}
_ITERABLE = frozenset({list, tuple, deque, set, frozenset, *_VIEWS})
_ENDLESS = frozenset({itertools.count, itertools.cycle, itertools.repeat})
_ITERATORS = frozenset(
    {types.GeneratorType, map, filter, zip, enumerate, reversed}
    | {type(iter(kind())) for kind in (list, tuple, str, bytes, bytearray, set, dict, deque)}
    | {type(iter("é")), type(iter(range(0))), type(iter(range(1 << 65))), type(reversed([])), type(iter(int, 0))}
    | {type(iter({}.values())), type(iter({}.items())), type(reversed({})), type(reversed({}.values()))}
    | {type(reversed({}.items())), type(iter(OrderedDict())), type(reversed(deque()))}
    | {itertools.accumulate, itertools.chain, itertools.combinations, itertools.combinations_with_replacement}
    | {itertools.compress, itertools.dropwhile, itertools.filterfalse, itertools.islice, itertools.pairwise}
    | {itertools.permutations, itertools.product, itertools.starmap, itertools.takewhile, itertools.zip_longest}
)


class Uncarriable(BaseException):
    """A test passes the candidate something that would not arrive as what it is."""


def containers(passed: object) -> list[Any]:
    """Every mutable container in what a test passes, once each.

    Nothing that `unpack` returns is refused, so nothing that a candidate returns can make a test be run otherwise.

    Raises:
        Uncarriable: something in it is of another type than those carried.
    """
    seen: dict[int, Any] = {}
    waiting: list[Any] = [passed]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in _SCALARS or id(value) in seen:
            continue
        seen[id(value)] = value
        if kind in _ITERABLE:
            waiting += [item for item in value if type(item) not in _SCALARS]
        elif kind is dict or kind in _MAPPINGS:
            if kind is defaultdict and _factory_of(value) is None:
                raise Uncarriable
            waiting += [*value.keys(), *value.values()]
        elif issubclass(kind, BaseException) and hasattr(value, FROM_CANDIDATE):
            fail("an exception that is passed on")
        elif kind not in _ITERATORS and kind not in (range, bytearray):
            raise Uncarriable
    return [value for value in seen.values() if type(value) in _MUTABLE]


def pack_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], passed: Sequence[Any]) -> bytes:
    """A call by a test; `passed` are the containers in its arguments."""
    kinds = [_blank(container) for container in passed]
    return encoding.encode((name, kinds, _pack((args, [*kwargs.items()], [*map(_content, passed)]), passed)))


def unpack_call(data: bytes) -> tuple[str, tuple[Any, ...], dict[str, Any], list[Any]]:
    """Name, arguments and the containers in them."""
    name, kinds, packed = encoding.decode(data)
    passed = [_made(*kind) for kind in kinds]
    args, kwargs, contents = _unpack(packed, passed, Opaque)
    _fill(passed, contents)
    return name, args, dict(kwargs), passed


def pack_result(value: object, passed: Sequence[Any]) -> bytes:
    """What a call returned, and what the containers passed to it hold after it.

    Raises:
        EncodingError: it cannot be carried.
    """
    return _pack((value, [*map(_content, passed)]), passed)


def unpack_result(data: bytes, passed: Sequence[Any]) -> Any:
    """The value that a call returned; the containers passed to it are changed as it changed its own.

    Raises:
        EncodingError: `data` is malformed.
    """
    match _unpack(data, passed, Unseen):
        case (value, list(contents)) if len(contents) == len(passed):
            _fill(passed, contents)
            return value
        case _:
            raise EncodingError("not a result of a call")


def pack_error(error: BaseException) -> tuple[str, bytes]:
    """The builtin class that an exception is an instance of, and its arguments."""
    name = next(kind.__name__ for kind in type(error).__mro__ if _is_raisable(kind))
    try:
        data = encoding.encode(error.args)
    except Exception:  # they may be anything
        data = b""
    return name, data if len(data) <= _MOST_ERROR_BYTES else b""


def unpack_error(name: str, message: str, base: str, data: bytes) -> BaseException:
    """An exception like the one that was raised, of a class of the same name and builtin base."""
    error = _like(name, message, base, data)
    setattr(error, FROM_CANDIDATE, True)
    return error


def _like(name: str, message: str, base: str, data: bytes) -> BaseException:
    found: Any = getattr(builtins, base, None)
    kind: Any = found if _is_raisable(found) else RuntimeError
    try:
        if name != base:
            kind = type(name, (kind,), {"__str__": lambda _: message})
        args = encoding.decode(data, {b"o": lambda r, _: Unseen(r.text())})
        return kind(*args) if type(args) is tuple else kind(message)
    except Exception:  # a name that no class can have, no arguments, or not those that its class asks for
        error = kind.__new__(kind)
        error.args = (message,)
        return error


def _is_raisable(kind: Any) -> bool:
    """Whether it is a builtin exception class that stands for any of its instances."""
    if not isinstance(kind, type) or getattr(builtins, kind.__name__, None) is not kind:
        return False
    return issubclass(kind, BaseException) and not issubclass(kind, (BaseExceptionGroup, SystemExit))


def shown_result(data: bytes) -> Any:
    """The same for one who has no part in the call and only shows it.

    Raises:
        EncodingError: `data` is malformed.
    """
    match _unpack(data, None, Opaque):
        case (value, list(contents)):
            is_passed = isinstance(value, _Passed) and value.index < len(contents)
            return contents[value.index] if is_passed else value
        case _:
            raise EncodingError("not a result of a call")


class _Passed(Opaque):
    """Stands for a container that was passed, by number."""

    __slots__ = ("index",)

    def __init__(self, type_name: str, index: int) -> None:
        super().__init__(type_name)
        self.index = index


def _pack(value: object, passed: Sequence[Any]) -> bytes:
    numbers = {id(container): number for number, container in enumerate(passed)}

    def special(value: Any, parts: list[bytes], depth: int) -> bool:
        number = numbers.get(id(value))
        if number is not None:
            parts.append(b"r" + _U32.pack(number))
            return True
        write = _WRITERS.get(type(value))
        if write is None:
            return False
        if depth >= encoding.MAX_DEPTH:
            raise EncodingError(f"value is nested more than {encoding.MAX_DEPTH} deep, or contains itself")
        write(value, parts, depth + 1, special)
        return True

    return encoding.encode(value, special)


def _unpack(data: bytes, passed: Sequence[Any] | None, opaque: Callable[[str], Any]) -> Any:
    """The value packed in `data`, which may be hostile; `opaque` makes the stand-in for an object."""

    def reference(reader: encoding.Reader, _: int) -> Any:
        number = reader.length()
        if passed is None:
            return _Passed("argument", number)
        if number >= len(passed):
            raise EncodingError("no such argument")
        return passed[number]

    def iterator(reader: encoding.Reader, depth: int) -> Iterator[Any]:
        is_whole = reader.take(1) == b"\1"
        return _again(reader.values(depth), None if is_whole else opaque("iterator with more items"))

    def default_mapping(reader: encoding.Reader, depth: int) -> Any:
        return defaultdict(_factory(reader.text(), opaque), reader.mapping(depth))

    special = {b"r": reference, b"g": iterator, b"M": default_mapping, b"o": lambda r, _: opaque(r.text())}
    return encoding.decode(data, {**_READERS, **special})


def _again(items: list[Any], rest: Any) -> Iterator[Any]:
    yield from items
    if rest is not None:
        bool(rest)  # fails a test that wants more


def _factory(name: str, opaque: Callable[[str], Any]) -> Any:
    return _KIND_OF_FACTORY[name] if name in _KIND_OF_FACTORY else _OtherFactory(opaque("default factory"))


class _OtherFactory:
    """A `default_factory` of the candidate's own."""

    def __init__(self, stand_in: object) -> None:
        self.stand_in = stand_in

    def __call__(self) -> Any:
        bool(self.stand_in)  # fails a test that calls it
        raise KeyError("a default of the candidate's own")


def _factory_of(mapping: Any) -> str | None:
    """Name of the factory of a defaultdict; None if it is the test's own."""
    factory = mapping.default_factory
    if type(factory) is _OtherFactory:
        return "?"
    return next((name for kind, name in _FACTORIES.items() if kind is factory), None)


def _blank(container: Any) -> tuple[Any, ...]:
    """What `_made` needs to know to make a container of the same kind."""
    kind = type(container)
    detail = container.maxlen if kind is deque else _factory_of(container) if kind is defaultdict else None
    return (kind.__name__, detail)


def _made(kind: str, detail: Any) -> Any:
    if kind == "deque":
        return deque(maxlen=detail)
    if kind == "defaultdict":
        return defaultdict(_factory(detail, Opaque))
    return _BY_NAME[kind]()


_BY_NAME: dict[str, Any] = {kind.__name__: kind for kind in _MUTABLE}


def _content(container: Any) -> Any:
    """A plain copy of what a container holds."""
    kind: Any = type(container)
    if kind is bytearray:
        return bytes(container)
    return [*dict.items(container)] if issubclass(kind, dict) else [*container]


def _fill(passed: Sequence[Any], contents: list[Any]) -> None:
    """Let containers hold what their copies do.

    Raises:
        EncodingError: they cannot.
    """
    for container, held in zip(passed, contents, strict=True):
        kind: Any = type(container)
        if type(held) is not (bytes if kind is bytearray else list):
            raise EncodingError("not what such a container holds")
        content: Any = held
        if kind in (set, dict) or kind in _MAPPINGS:
            encoding.refuse_collisions([key for key, _ in content] if kind is not set else content)
        if kind in (list, bytearray):
            container[:] = content
        elif issubclass(kind, dict):
            container.clear()
            for key, item in content:
                container[key] = item
        else:
            container.clear()
            (container.extend if kind is deque else container.update)(content)


def _write_items(items: Sequence[Any], parts: list[bytes], depth: int, special: Special) -> None:
    parts.append(_U32.pack(len(items)))
    for item in items:
        encoding.write(item, parts, depth, special)


def _write_mapping(mapping: Any, parts: list[bytes], depth: int, special: Special) -> None:
    if type(mapping) in _MAPPINGS:
        parts.append(_MAPPINGS[type(mapping)])
    if type(mapping) is defaultdict:
        name = _factory_of(mapping)
        name = b"?" if name is None else name.encode()
        parts.append(_U32.pack(len(name)) + name)
    items = [*dict.items(mapping)] if isinstance(mapping, dict) else [*mapping]
    parts.append(_U32.pack(len(items)))
    for key, item in items:
        encoding.write(key, parts, depth, special)
        encoding.write(item, parts, depth, special)


def _write_view(view: Any, parts: list[bytes], depth: int, special: Special) -> None:
    parts.append(_VIEWS[type(view)])
    (_write_mapping if _VIEWS[type(view)] == b"m" else _write_items)([*view], parts, depth, special)


def _write_range(value: range, parts: list[bytes], depth: int, special: Special) -> None:
    parts.append(b"R")
    for number in (value.start, value.stop, value.step):
        encoding.write(number, parts, depth, special)


def _write_deque(value: deque[Any], parts: list[bytes], depth: int, special: Special) -> None:
    parts.append(b"Q")
    encoding.write(value.maxlen, parts, depth, special)
    _write_items([*value], parts, depth, special)


def _write_iterator(iterator: Iterator[Any], parts: list[bytes], depth: int, special: Special) -> None:
    """Its items; a candidate's iterator is run here, so it may raise whatever it likes."""
    items: list[bytes] = []
    count, size, is_whole, end_s = 0, 0, True, process_time() + _MOST_ITEM_S
    for item in iterator:
        encoding.write(item, written := [], depth, special)
        items += written
        count += 1
        size += sum(map(len, written))
        if count >= _MOST_ITEMS or size >= _MOST_ITEM_BYTES or process_time() > end_s:
            is_whole = False
            break
    parts.append(b"g" + bytes([is_whole]) + _U32.pack(count))
    parts += items


def _write_unseen(value: Unseen, parts: list[bytes], depth: int, special: Special) -> None:
    encoding.write(Opaque(type_name_of(value)), parts, depth, special)


_WRITERS: dict[type, Callable[[Any, list[bytes], int, Special], None]] = {
    range: _write_range,
    deque: _write_deque,
    Unseen: _write_unseen,
    **dict.fromkeys(_MAPPINGS, _write_mapping),
    **dict.fromkeys(_VIEWS, _write_view),
    **dict.fromkeys(_ITERATORS | _ENDLESS, _write_iterator),
}


def _read_range(reader: encoding.Reader, depth: int) -> range:
    return range(*[reader.value(depth + 1) for _ in range(3)])


def _read_deque(reader: encoding.Reader, depth: int) -> deque[Any]:
    most = reader.value(depth + 1)
    return deque(reader.values(depth), most)


_READERS: dict[bytes, encoding.ReadValue] = {
    b"R": _read_range,
    b"Q": _read_deque,
    b"O": lambda r, d: OrderedDict(r.mapping(d)),
    b"C": lambda r, d: Counter(r.mapping(d)),
    b"k": lambda r, d: dict.fromkeys(r.keys(d)).keys(),
    b"v": lambda r, d: dict(enumerate(r.values(d))).values(),
    b"m": lambda r, d: r.mapping(d).items(),
}
