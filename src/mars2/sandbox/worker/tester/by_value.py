"""What a tester and a candidate in two jails send each other: values by exact type, and which container is which.

Beyond what `encoding` carries there are here the containers of `collections`, ranges, views of dictionaries, iterators
(whose items are taken beforehand, up to a bound), exceptions and what `library` lists. Each list, dictionary, set …
that is passed to a call has a number on both sides. So what the call does to it happens to the caller's own too, and
what is returned of it is the caller's own again. Any other object stays where it is, and a reference to it is sent.
"""

from __future__ import annotations

import itertools
import struct
import types
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import process_time
from typing import Any, Protocol

from .. import encoding
from ..encoding import EncodingError, Opaque, Special
from . import library, stand_in

_MOST_ITEMS, _MOST_ITEM_BYTES, _MOST_ITEM_S = 100_000, 1 << 19, 0.5  # taken from an iterator, which may be endless
_U32 = struct.Struct("<I")
_SIMPLE = frozenset({type(None), bool, int, float, complex, str, bytes})
_MAPPINGS: dict[type, bytes] = {OrderedDict: b"O", Counter: b"C", defaultdict: b"M"}
_MUTABLE = frozenset({list, set, bytearray, deque, dict, array, *_MAPPINGS})
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
    | {itertools.groupby, type(next(itertools.groupby("a"))[1])}
)


class References(Protocol):
    """The objects of each side that the other knows by a number."""

    readers: Mapping[bytes, encoding.ReadValue]  # `READERS`, and those of what `refer` writes on the other side
    plain: tuple[type, ...]  # builtin classes whose subclasses' instances are carried as the plain value they hold

    def refer(self, value: Any) -> bytes:
        """What is written for an object that is not carried."""
        ...

    def described(self, error: BaseException) -> tuple[Any, ...]:
        """What is written for an exception."""
        ...

    def like(self, description: Any, number: Any) -> BaseException:
        """The exception for which `described` gave this on the other side."""
        ...


class Shown:
    """For one who has no part in a call and only shows its result."""

    plain: tuple[type, ...] = ()

    def __init__(self) -> None:
        self.readers: Mapping[bytes, encoding.ReadValue] = {
            **READERS,
            b"h": self._held,
            b"L": self._made,
            b"x": lambda reader, depth: Opaque(f"{reader.value(depth)[0][0]}"),
        }

    def refer(self, value: Any) -> bytes:
        raise EncodingError("nothing is sent from here")

    def described(self, error: BaseException) -> tuple[Any, ...]:
        raise EncodingError("nothing is sent from here")

    def like(self, description: Any, number: Any) -> BaseException:
        raise EncodingError("nothing is made here")

    @staticmethod
    def _held(reader: encoding.Reader, _: int) -> Opaque:
        reader.take(5)
        return Opaque(reader.text())

    @staticmethod
    def _made(reader: encoding.Reader, depth: int) -> Opaque:
        name = reader.text()
        reader.value(depth + 1)
        return Opaque(name)


def containers(passed: object) -> list[Any]:
    """Every mutable container in what is passed to a call, once each."""
    seen: dict[int, Any] = {}
    waiting: list[Any] = [passed]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind in _SIMPLE or id(value) in seen:
            continue
        seen[id(value)] = value
        if kind in _ITERABLE:
            waiting += [item for item in value if type(item) not in _SIMPLE]
        elif kind is dict or kind in _MAPPINGS:
            waiting += [*value.keys(), *value.values()]
    return [value for value in seen.values() if _is_mutable(value)]


def _is_mutable(value: Any) -> bool:
    kind = type(value)
    return kind in _MUTABLE or (kind.__name__ == "ndarray" and kind.__module__ == "numpy")


def pack_call(args: tuple[Any, ...], kwargs: dict[str, Any], around: Any, references: References) -> tuple[Any, ...]:
    """What is sent of a call (kinds of the containers passed, and all values), and these containers."""
    passed = containers((args, kwargs))
    values = (args, [*kwargs.items()], around, [*map(_content, passed)])
    return [*map(_blank, passed)], _pack(values, passed, references), passed


def unpack_call(kinds: list[tuple[Any, ...]], packed: bytes, references: References) -> tuple[Any, ...]:
    """Positional and keyword arguments, `around`, and the containers passed."""
    passed = [_made(*kind) for kind in kinds]
    args, kwargs, around, contents = _unpack(packed, passed, references)
    _fill(passed, contents)
    return args, dict(kwargs), around, passed


def pack_result(value: object, passed: Sequence[Any], references: References) -> bytes:
    """What a call returned, and what the containers passed to it hold after it.

    Raises:
        EncodingError: it cannot be carried.
    """
    return _pack((value, _Contents(passed)), passed, references)


def unpack_result(data: bytes, passed: Sequence[Any], references: References) -> Any:
    """The value that a call returned; the containers passed to it are changed as it changed its own.

    Raises:
        EncodingError: `data` is malformed.
    """
    match _unpack(data, passed, references):
        case (value, list(contents)) if len(contents) == len(passed):
            _fill(passed, contents)
            return value
        case _:
            raise EncodingError("not a result of a call")


def shown_result(data: bytes) -> Any:
    """The same for one who has no part in the call and only shows it.

    Raises:
        EncodingError: `data` is malformed.
    """
    match _unpack(data, None, Shown()):
        case (value, list(contents)):
            is_passed = isinstance(value, _Passed) and value.index < len(contents)
            return contents[value.index] if is_passed else value
        case _:
            raise EncodingError("not a result of a call")


class _Contents:
    """The contents of containers at the time when they are written: after a value, whose iterators may change them."""

    __slots__ = ("passed",)

    def __init__(self, passed: Sequence[Any]) -> None:
        self.passed = passed


class _Passed(Opaque):
    """Stands for a container that was passed, by number."""

    __slots__ = ("index",)

    def __init__(self, type_name: str, index: int) -> None:
        super().__init__(type_name)
        self.index = index


def _pack(value: object, passed: Sequence[Any], references: References) -> bytes:
    numbers = {id(container): number for number, container in enumerate(passed)}

    def special(value: Any, parts: list[bytes], depth: int) -> bool:
        kind = type(value)
        if kind in _SIMPLE:
            return False
        number = numbers.get(id(value))
        if number is not None:
            parts.append(b"r" + _U32.pack(number))
            return True
        write = _WRITERS.get(kind)
        if write is None:
            if kind in encoding.EXACT:
                return False
            if issubclass(kind, BaseException):
                parts.append(b"x")
                encoding.write(references.described(value), parts, depth, None)
                return True
            found = library.arguments_of(value)
            if found is None:
                if issubclass(kind, references.plain):
                    return False
                parts.append(references.refer(value))
                return True
            write = _writer_of(*found)
        if depth >= encoding.MAX_DEPTH:
            raise EncodingError(f"value is nested more than {encoding.MAX_DEPTH} deep, or contains itself")
        write(value, parts, depth + 1, special)
        return True

    return encoding.encode(value, special)


def _writer_of(name: str, args: tuple[Any, ...]) -> _Writer:
    def write(_: object, parts: list[bytes], depth: int, special: Special) -> None:
        parts.append(b"L" + _U32.pack(len(name)) + name.encode())
        encoding.write(args, parts, depth, special)

    return write


def _unpack(data: bytes, passed: Sequence[Any] | None, references: References) -> Any:
    """The value packed in `data`, which may be hostile."""
    return encoding.decode(data, references.readers, passed)


def _reference(reader: encoding.Reader, _: int) -> Any:
    number = reader.length()
    if reader.passed is None:
        return _Passed("argument", number)
    if number >= len(reader.passed):
        raise EncodingError("no such argument")
    return reader.passed[number]


def _iterator(reader: encoding.Reader, depth: int) -> Iterator[Any]:
    is_whole = reader.take(1) == b"\1"
    return _again(reader.values(depth), is_whole)


def _again(items: list[Any], is_whole: bool) -> Iterator[Any]:
    yield from items
    if not is_whole:
        stand_in.fail("an iterator for more items")


def _default_mapping(reader: encoding.Reader, depth: int) -> Any:
    factory = reader.value(depth + 1)
    return defaultdict(factory if factory is None or callable(factory) else None, reader.mapping(depth))


def _from_library(reader: encoding.Reader, depth: int) -> Any:
    name, args = reader.text(), reader.value(depth + 1)
    if type(args) is not tuple:
        raise EncodingError("no arguments")
    return library.made(name, args)


def _blank(container: Any) -> tuple[Any, ...]:
    """What `_made` needs to know to make a container of the same kind."""
    kind = type(container)
    if kind in (deque, array):
        return kind.__name__, container.maxlen if kind is deque else container.typecode
    return (kind.__name__,) if kind in _MUTABLE else ("ndarray", *library.blank_array(container))


def _made(kind: str, *detail: Any) -> Any:
    if kind == "ndarray":
        return library.empty_array(*detail)
    return deque(maxlen=detail[0]) if kind == "deque" else _BY_NAME[kind](*detail)


_BY_NAME: dict[str, Any] = {kind.__name__: kind for kind in _MUTABLE}


def _content(container: Any) -> Any:
    """A plain copy of what a container holds; of a defaultdict, its factory too."""
    kind: Any = type(container)
    if kind is bytearray:
        return bytes(container)
    if kind is defaultdict:
        return container.default_factory, [*dict.items(container)]
    if issubclass(kind, dict):
        return [*dict.items(container)]
    return [*container] if kind in _MUTABLE else library.array_content(container)


def _fill(passed: Sequence[Any], contents: list[Any]) -> None:
    """Let containers hold what their copies do.

    Raises:
        EncodingError: they cannot.
    """
    for container, held in zip(passed, contents, strict=True):
        kind: Any = type(container)
        content: Any = held
        if kind is defaultdict and type(held) is tuple and len(held) == 2:
            container.default_factory, content = held
        plain: type[Any] = bytes if kind is bytearray else list
        if kind in _MUTABLE and not isinstance(content, plain):
            raise EncodingError("not what such a container holds")
        if kind in (set, dict) or kind in _MAPPINGS:
            encoding.refuse_collisions([key for key, _ in content] if kind is not set else content)
        if kind in (list, bytearray):
            container[:] = content
        elif kind is array:
            container[:] = array(container.typecode, content)
        elif kind not in _MUTABLE:
            library.fill_array(container, content)
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
        encoding.write(mapping.default_factory, parts, depth, special)
    items = [*dict.items(mapping)] if isinstance(mapping, dict) else [*mapping]
    parts.append(_U32.pack(len(items)))
    for key, item in items:
        encoding.write(key, parts, depth, special)
        encoding.write(item, parts, depth, special)


def _write_view(view: Any, parts: list[bytes], depth: int, special: Special) -> None:
    parts.append(_VIEWS[type(view)])
    (_write_mapping if _VIEWS[type(view)] == b"m" else _write_items)([*view], parts, depth, special)


def _write_contents(contents: _Contents, parts: list[bytes], depth: int, special: Special) -> None:
    encoding.write([*map(_content, contents.passed)], parts, depth, special)


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


_Writer = Callable[[Any, list[bytes], int, Special], None]
_WRITERS: dict[type, _Writer] = {
    range: _write_range,
    deque: _write_deque,
    _Contents: _write_contents,
    **dict.fromkeys(_MAPPINGS, _write_mapping),
    **dict.fromkeys(_VIEWS, _write_view),
    **dict.fromkeys(_ITERATORS | _ENDLESS, _write_iterator),
}


def _read_range(reader: encoding.Reader, depth: int) -> range:
    return range(*[reader.value(depth + 1) for _ in range(3)])


def _read_deque(reader: encoding.Reader, depth: int) -> deque[Any]:
    most = reader.value(depth + 1)
    return deque(reader.values(depth), most)


READERS: dict[bytes, encoding.ReadValue] = {
    **encoding.READERS,
    b"r": _reference,
    b"g": _iterator,
    b"R": _read_range,
    b"Q": _read_deque,
    b"L": _from_library,
    b"M": _default_mapping,
    b"O": lambda r, d: OrderedDict(r.mapping(d)),
    b"C": lambda r, d: Counter(r.mapping(d)),
    b"k": lambda r, d: dict.fromkeys(r.keys(d)).keys(),
    b"v": lambda r, d: dict(enumerate(r.values(d))).values(),
    b"m": lambda r, d: r.mapping(d).items(),
}
