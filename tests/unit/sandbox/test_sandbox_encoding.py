"""Values cross the jail's wall by exact type; reading is safe for any bytes."""

from __future__ import annotations

import collections
import contextlib
import enum
import struct
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.sandbox.worker.encoding import MAX_DEPTH, MAX_INT_BYTES, EncodingError, Opaque, decode, encode

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.fractions()
    | st.decimals(allow_nan=False)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


def _same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(v, b[k]) for k, v in a.items())
    return bool(a == b)


@given(_VALUES)
def test_round_trip_keeps_value_and_type(value: Any) -> None:
    assert _same(decode(encode(value)), value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    with contextlib.suppress(EncodingError):
        decode(data)


@given(_VALUES, st.integers(0, 50))
def test_cut_bytes_are_an_error(value: Any, cut: int) -> None:
    data = encode(value)
    with pytest.raises(EncodingError):
        decode(data[: max(0, len(data) - 1 - cut)])


class _Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __add__(self, other: object) -> int:
        return 42

    def __index__(self) -> int:
        return 42


class _Items(list[int]):
    def __iter__(self) -> Any:
        return iter([42])


class _Colour(enum.IntEnum):
    RED = 3


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_subclasses_go_by_the_value_they_hold() -> None:
    assert _same(decode(encode(_Liar(7))), 7)
    assert _same(decode(encode(_Items([1, 2]))), [1, 2])
    assert _same(decode(encode(_Colour.RED)), 3)
    assert _same(decode(encode(collections.Counter("aab"))), {"a": 2, "b": 1})
    assert _same(decode(encode(collections.namedtuple("P", "x y")(1, 2))), (1, 2))
    assert _same(decode(encode(np.int64(5))), 5)
    assert _same(decode(encode(np.bool_(True))), True)


def test_other_objects_equal_nothing() -> None:
    value = decode(encode(_Anything()))
    assert isinstance(value, Opaque)
    assert value.type_name == "_Anything"
    assert value != 1
    assert value != decode(encode(_Anything()))


def test_long_lists_are_packed_and_come_back() -> None:
    for items in ([*range(1000)], [0.5] * 1000, [2**63 - 1, -(2**63)], [2**63, 0]):
        assert _same(decode(encode(items)), items)
    assert len(encode([*range(1000)])) < 8100


def test_depth_cycles_and_sizes() -> None:
    nested: Any = 0
    for _ in range(MAX_DEPTH):
        nested = [nested, None]
    assert decode(encode(nested)) == nested
    with pytest.raises(EncodingError, match="deep"):
        encode([nested, None])
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(EncodingError, match="contains itself"):
        encode(cycle)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"?",
        b"NN",
        b"l\xff\xff\xff\xff",
        b"I\xff\xff\xff\xff",
        b"i" + struct.pack("<I", 2**20) + bytes(2**20),  # an integer of eight million bits
        b"l\x01\x00\x00\x00" * 100_000,
        b"q" + b"i\x01\x00\x00\x00\x01" + b"i\x01\x00\x00\x00\x00",  # 1/0
        b"q" + b"N" + b"N",
        b"D" + struct.pack("<I", 3) + b"abc",
        b"s" + struct.pack("<I", 1) + b"\xff",
        b"e" + struct.pack("<I", 1) + b"l" + struct.pack("<I", 0),  # a set of a list
        b"d" + struct.pack("<I", 1) + b"l" + struct.pack("<I", 0) + b"N",
    ],
)
def test_hostile_bytes(data: bytes) -> None:
    with pytest.raises(EncodingError):
        decode(data)


def test_keys_chosen_to_collide_are_refused() -> None:
    with pytest.raises(EncodingError, match="hash"):
        decode(encode({i * (2**61 - 1) for i in range(200)}))


def test_exotic_numbers() -> None:
    assert decode(encode(Fraction(1, 3))) == Fraction(1, 3)
    assert decode(encode(Decimal("1e-20"))) == Decimal("1e-20")
    assert str(decode(encode(float("nan")))) == "nan"
    assert str(decode(encode(-0.0))) == "-0.0"


def test_many_small_containers_are_refused_quickly() -> None:
    start = time.process_time()
    with pytest.raises(EncodingError, match="too large"):
        decode(b"l" + (1_900_000).to_bytes(4, "little") + b"e\0\0\0\0" * 1_900_000)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    "data",
    [
        b"l\1\0\0\0" * 199 + b"l\0\0\0\0",
        b"l\1\0\0\0" * 200 + b"q" + encode(1) + encode(2),
        b"i" + struct.pack("<I", MAX_INT_BYTES) + b"\x7f" * MAX_INT_BYTES,
        b"i" + struct.pack("<I", MAX_INT_BYTES) + b"\x80" * MAX_INT_BYTES,
        b"q" + encode(3**6300) + encode(2**9_999),
    ],
    ids=["empty list inside", "fraction inside", "large integer", "large negative integer", "large fraction"],
)
def test_what_is_read_can_be_written(data: bytes) -> None:
    assert decode(encode(decode(data))) == decode(data)


def test_what_cannot_be_read_is_not_written() -> None:
    largest = 1 << 8 * MAX_INT_BYTES - 1
    for value in (largest, -largest, Fraction(1, 1 << 20_000)):
        with pytest.raises(EncodingError, match="too large"):
            encode(value)
