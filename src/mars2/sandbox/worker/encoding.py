"""Carries values out of the jail by exact type, so that no method of the candidate's objects is ever called.

A value is written as a one-byte tag, a length where needed, and raw data. Subclasses of builtin containers and numbers
are written as the plain base value they hold; what is not a plain value becomes `Opaque`, which equals nothing.
Reading is safe for any bytes: it builds only builtin values and checks every length, the depth and how much there is.
What reading accepts, writing accepts too, so that a value that came in can be sent on.
"""

from __future__ import annotations

import collections
import gc
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_DEPTH = 200  # of nested containers
MAX_VALUES = 2_000_000  # in one message, not counting packed lists; large ones count for more
MAX_FRACTION_BITS = 10_000  # of numerator and denominator: reducing it takes quadratic time
MAX_INT_BYTES = 2**17  # an integer of about 300,000 digits; beyond, comparing with a Decimal takes seconds
MAX_COLLISIONS = 64  # keys of one hash value in one container
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class EncodingError(ValueError):
    """A value cannot be carried, or bytes are not a value."""


class Opaque:
    """Stands for an object that cannot be carried by value; equal to nothing but itself."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


Special = Callable[[Any, list[bytes], int], bool]  # writes a value its own way, or says that it does not


def encode(value: object, special: Special | None = None) -> bytes:
    """Bytes of a value. Objects without a plain value are carried as their type's name; `special` is asked first.

    Raises:
        EncodingError: nested deeper than MAX_DEPTH (so also: a cycle), or a number too large.
    """
    parts: list[bytes] = []
    write(value, parts, 0, special)
    return b"".join(parts)


def _sized(tag: bytes, data: bytes) -> bytes:
    return tag + _U32.pack(len(data)) + data


def _int_bytes(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise EncodingError("integer too large")
    return value.to_bytes(size, "little", signed=True)


def _fraction_bytes(numerator: int, denominator: int) -> bytes:
    if max(numerator.bit_length(), denominator.bit_length()) > MAX_FRACTION_BITS:
        raise EncodingError("fraction too large")
    return b"q" + _sized(b"i", _int_bytes(numerator)) + _sized(b"i", _int_bytes(denominator))


def _text_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _encode_scalar(kind: type, value: Any) -> bytes | None:
    """Bytes of a scalar whose builtin type is `kind`; None if `kind` is not a scalar type."""
    if kind is int:
        return _sized(b"i", _int_bytes(int.__add__(value, 0)))
    if kind is str:
        return _sized(b"s", _text_bytes(str.__str__(value)))
    if kind is float:
        return b"f" + _F64.pack(float.__pos__(value))
    if kind is bytes:
        return _sized(b"b", b"".join([bytes.__getitem__(value, slice(None))]))
    if kind is bytearray:
        return _sized(b"B", bytes(bytearray.__getitem__(value, slice(None))))
    if kind is complex:
        plain = complex.__pos__(value)
        return b"c" + _F64.pack(plain.real) + _F64.pack(plain.imag)
    if kind is Fraction:
        return _fraction_bytes(value.numerator, value.denominator)
    if kind is Decimal:
        return _sized(b"D", Decimal.__str__(value).encode())
    return None


_SCALARS = (int, str, float, bytes, bytearray, complex, Fraction, Decimal)
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"e", frozenset: b"z"}
_DICTS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
EXACT = frozenset({*_SCALARS, *_SEQUENCES, dict})  # classes whose instances are written as what they are
PLAIN = (*_SCALARS, *_SEQUENCES, *_DICTS)  # those whose subclasses' instances are written as the plain value they hold
SCALARS = _SCALARS
_CONSTANTS: dict[object, bytes] = {None: b"N", True: b"T", False: b"F"}


def write(value: Any, parts: list[bytes], depth: int, special: Special | None) -> None:
    """Append the bytes of a value that is `depth` deep inside another."""
    if special is not None and special(value, parts, depth):
        return
    kind = type(value)
    if value is None or kind is bool:
        parts.append(_CONSTANTS[value])
        return
    if kind is str:
        parts.append(_sized(b"s", _text_bytes(value)))
        return
    scalar = _encode_scalar(kind, value)
    if scalar is not None:
        parts.append(scalar)
        return
    if depth >= MAX_DEPTH:
        raise EncodingError(f"value is nested more than {MAX_DEPTH} deep, or contains itself")
    if kind in _SEQUENCES:
        _encode_sequence(kind, value, parts, depth, special)
    elif kind in _DICTS:
        _encode_dict(value, parts, depth, special)
    else:
        _encode_other(value, parts, depth, special)


def _encode_sequence(kind: type, value: Any, parts: list[bytes], depth: int, special: Special | None) -> None:
    items = [*kind.__iter__(value)]
    if kind is list and items:
        packed = _pack_numbers(items)
        if packed is not None:
            parts.append(packed)
            return
    parts.append(_SEQUENCES[kind] + _U32.pack(len(items)))
    for item in items:
        write(item, parts, depth + 1, special)


def _pack_numbers(items: list[Any]) -> bytes | None:
    """A long list of plain 64-bit integers or floats, at the speed of C; None if it is not one."""
    kinds = {*map(type, items)}
    if kinds == {int} and min(items) >= _INT64_MIN and max(items) <= _INT64_MAX:
        return b"I" + _U32.pack(len(items)) + struct.pack(f"<{len(items)}q", *items)
    if kinds == {float}:
        return b"G" + _U32.pack(len(items)) + struct.pack(f"<{len(items)}d", *items)
    return None


def _encode_dict(value: Any, parts: list[bytes], depth: int, special: Special | None) -> None:
    items = [*dict.items(value)]
    parts.append(b"d" + _U32.pack(len(items)))
    for key, item in items:
        write(key, parts, depth + 1, special)
        write(item, parts, depth + 1, special)


def _encode_other(value: Any, parts: list[bytes], depth: int, special: Special | None) -> None:
    """A subclass goes by its builtin base value; a numpy scalar by its item; anything else by name only."""
    if issubclass(type(value), _DICTS):
        _encode_dict(value, parts, depth, special)
        return
    for base in _SEQUENCES:
        if issubclass(type(value), base):
            _encode_sequence(base, value, parts, depth, special)
            return
    for base in _SCALARS:
        if issubclass(type(value), base):
            scalar = _encode_scalar(base, value)
            if scalar is not None:
                parts.append(scalar)
                return
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        item = value.item()
        if type(item) in (bool, int, float, complex):
            write(item, parts, depth, special)
            return
    name = value.type_name if type(value) is Opaque else type(value).__qualname__[:200]
    parts.append(_sized(b"o", _text_bytes(name)))


ReadValue = Callable[["Reader", int], Any]


def refuse_collisions(items: Sequence[Any]) -> None:
    """Raise EncodingError for keys chosen to share one hash value, which would take quadratic time to store."""
    if len(items) <= MAX_COLLISIONS:
        return
    counts = collections.Counter(map(hash, items))
    different: dict[int, list[Any]] = {value: [] for value, count in counts.items() if count > MAX_COLLISIONS}
    for item in items if different else ():
        alike = different.get(hash(item))
        if alike is not None and item not in alike:  # the same again costs nothing
            alike.append(item)
            if len(alike) > MAX_COLLISIONS:
                raise EncodingError("too many keys with the same hash")


def decode(data: bytes, readers: Mapping[bytes, ReadValue] | None = None, passed: Any = None) -> Any:
    """The value in `data`, which may be hostile; `readers` (`READERS` and others) by tag, which may look at `passed`.

    Raises:
        EncodingError: the bytes are not exactly one well-formed value.
    """
    reader = Reader(data, READERS if readers is None else readers, passed)
    collects = gc.isenabled()
    gc.disable()  # nothing here is garbage, and looking for it among so many new objects takes seconds
    try:
        value = reader.value(0)
    except EncodingError:
        raise
    except (ArithmeticError, MemoryError, RecursionError, TypeError, UnicodeError, ValueError, struct.error) as error:
        raise EncodingError(f"not a value: {type(error).__name__}") from None
    finally:
        if collects:
            gc.enable()
    if reader.position != len(data):
        raise EncodingError("bytes left over after the value")
    return value


class Reader:
    """Reads values from hostile bytes; `readers` by tag are given the depth."""

    def __init__(self, data: bytes, readers: Mapping[bytes, ReadValue], passed: Any) -> None:
        self.data, self.readers, self.passed = data, readers, passed
        self.position = 0
        self.values_left = MAX_VALUES

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise EncodingError("bytes end inside a value")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def length(self) -> int:
        position = self.position
        self.position = position + 4
        try:
            return _U32.unpack_from(self.data, position)[0]
        except struct.error:
            raise EncodingError("bytes end inside a value") from None

    def value(self, depth: int) -> Any:
        position = self.position
        self.position = position + 1
        tag = self.data[position : position + 1]  # b"", which has no reader, after the end
        reader = self.readers.get(tag)
        if reader is None:
            raise EncodingError("unknown tag")
        self.values_left -= _WEIGHTS.get(tag, _MOST_WEIGHT)
        if self.values_left < 0 or (depth >= MAX_DEPTH and tag not in _SCALAR_TAGS):
            raise EncodingError("value too deep or too large")
        return reader(self, depth)

    def values(self, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(self.length())]

    def keys(self, depth: int) -> list[Any]:
        keys = self.values(depth)
        refuse_collisions(keys)
        return keys

    def integer(self) -> int:
        count = self.length()
        if count > MAX_INT_BYTES:
            raise EncodingError("integer too large")
        value = int.from_bytes(self.take(count), "little", signed=True)
        if value.bit_length() >= 8 * MAX_INT_BYTES:  # the one that would be written with a byte more
            raise EncodingError("integer too large")
        return value

    def mapping(self, depth: int) -> dict[Any, Any]:
        pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(self.length())]
        refuse_collisions([key for key, _ in pairs])
        return dict(pairs)

    def numbers(self, code: str) -> list[Any]:
        count = self.length()
        return [*struct.unpack(f"<{count}{code}", self.take(8 * count))]

    def double(self) -> float:
        return _F64.unpack(self.take(8))[0]

    def text(self) -> str:
        return self.take(self.length()).decode("utf-8", "surrogatepass")


def _fraction(reader: Reader, depth: int) -> Fraction:
    parts: list[int] = []
    for _ in range(2):
        if reader.take(1) != b"i":
            raise EncodingError("fraction of something else than integers")
        parts.append(reader.integer())
        if parts[-1].bit_length() > MAX_FRACTION_BITS:
            raise EncodingError("fraction too large")
    return Fraction(*parts)


READERS: dict[bytes, ReadValue] = {
    b"N": lambda r, d: None,
    b"T": lambda r, d: True,
    b"F": lambda r, d: False,
    b"i": lambda r, d: r.integer(),
    b"s": lambda r, d: r.text(),
    b"f": lambda r, d: r.double(),
    b"b": lambda r, d: r.take(r.length()),
    b"B": lambda r, d: bytearray(r.take(r.length())),
    b"c": lambda r, d: complex(r.double(), r.double()),
    b"q": _fraction,
    b"D": lambda r, d: Decimal(r.take(r.length()).decode("ascii")),
    b"o": lambda r, d: Opaque(r.text()),
    b"I": lambda r, d: r.numbers("q"),
    b"G": lambda r, d: r.numbers("d"),
    b"l": lambda r, d: r.values(d),
    b"t": lambda r, d: tuple(r.values(d)),
    b"e": lambda r, d: set(r.keys(d)),
    b"z": lambda r, d: frozenset(r.keys(d)),
    b"d": lambda r, d: r.mapping(d),
}
_SCALAR_TAGS = frozenset({b"N", b"T", b"F", b"i", b"s", b"f", b"b", b"B", b"c", b"q", b"D", b"o", b"r"})
_MOST_WEIGHT = 5  # of sets, mappings and the like; a unit is 30 to 80 bytes
_WEIGHTS = dict.fromkeys(_SCALAR_TAGS, 1) | {b"l": 2, b"t": 2, b"B": 2, b"I": 2, b"G": 2}
_WEIGHTS |= {b"q": 20, b"D": 20, b"Q": 12}  # fractions and decimals take long to hash; an empty deque has 770 bytes
