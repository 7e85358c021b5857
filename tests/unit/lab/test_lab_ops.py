"""Every operation does what its wording says (by hand), and every slip is really wrong."""

import numpy as np
import pytest

from mars2.lab.examples import outcome
from mars2.lab.ops import BY_NAME, FAMILIES, OPS
from mars2.lab.specs import fill, random_argument, run_codes, write_program

# operation, parameter, argument, result worked out by hand
BY_HAND = [
    ("sort", "", [3, -1, 2], [-1, 2, 3]),
    ("reverse", "", [3, 1, 2], [2, 1, 3]),
    ("reverse", "", "cat", "tac"),
    ("drop", "2", [5, 6, 7], [7]),
    ("drop", "1", "dog", "og"),
    ("take", "2", [5, 6, 7], [5, 6]),
    ("add", "3", [1, -1], [4, 2]),
    ("times", "2", [1, -4], [2, -8]),
    ("keep even", "", [1, 2, -4, 0], [2, -4, 0]),
    ("keep above", "3", [3, 4, 9], [4, 9]),
    ("unique", "", [2, 1, 2, 3, 1], [2, 1, 3]),
    ("gaps", "", [1, 4, 2], [3, -2]),
    ("sum", "", [1, 2, -4], -1),
    ("largest", "", [], 0),
    ("largest", "", [-3, -1], -1),
    ("count above", "2", [2, 3, 4], 2),
    ("upper", "", "Red ox", "RED OX"),
    ("title", "", "red ox", "Red Ox"),
    ("sort letters", "", "cab", "abc"),
    ("remove", "a", "a cat", " ct"),
    ("double letters", "", "ab", "aabb"),
    ("reverse words", "", "red ox at", "at ox red"),
    ("no vowels", "", "moon tea", "mn t"),
    ("length", "", "a cat", 5),
    ("length", "", [4, 4], 2),
    ("word lengths", "", "a cat", [1, 3]),
    ("plus", "4", -1, 3),
    ("multiply by", "3", -2, -6),
    ("mod", "5", 13, 3),
    ("distance to", "9", 4, 5),
    ("digit sum", "", -47, 11),
    ("digits", "", -47, [4, 7]),
    ("until above", "3", [1, 3, 4, 2], [1, 3]),
    ("trim end above", "2", [5, 1, 3, 4], [5, 1]),
    ("trim end above", "2", [3, 4], []),
    ("reverse if longer than", "2", [1, 2], [1, 2]),
    ("reverse if longer than", "2", "cat", "tac"),
    ("if odd add", "3", 5, 8),
    ("if odd add", "3", 4, 4),
    ("halve while above", "3", 13, 3),
]


@pytest.mark.parametrize(("name", "k", "argument", "expected"), BY_HAND)
def test_operation_by_hand(name, k, argument, expected):
    code = fill(BY_NAME[name].code, k)
    assert run_codes([code], argument) == expected
    scope: dict = {}
    exec(write_program([code]), scope)
    assert scope["f"](argument) == expected


def test_every_operation_is_worked_out_by_hand():
    assert {name for name, *_ in BY_HAND} == set(BY_NAME)
    assert len(BY_NAME) == len(OPS)
    assert {op.family for op in OPS} == set(FAMILIES)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_slip_is_wrong_somewhere(op):
    rng = np.random.default_rng(0)
    for k in op.parameters:
        right = fill(op.code, k)
        for slip in op.slips:
            assert any(
                outcome([fill(slip, k)], argument) != run_codes([right], argument)
                for before, _ in op.signature
                for argument in (random_argument(before, rng) for _ in range(300))
            ), f"{fill(slip, k)!r} never differs from {right!r}"


def test_operations_leave_the_argument_alone():
    for op in OPS:
        if op.result("ints") is not None:
            argument = [9, 2, -3, 2, 7]
            run_codes([fill(op.code, op.parameters[0])], argument)
            assert argument == [9, 2, -3, 2, 7], op.name


def test_program_of_several_steps():
    program = write_program(["x = sorted(x)", "if len(x) > 2:\n    x = x[::-1]"])
    assert program == "def f(x):\n    x = sorted(x)\n    if len(x) > 2:\n        x = x[::-1]\n    return x"
    assert write_program(["x = x[1:]", "x = sum(x)"]) == "def f(x):\n    x = x[1:]\n    return sum(x)"
