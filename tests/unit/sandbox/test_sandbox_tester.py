"""Which assertion tests can be run apart from the candidate."""

from __future__ import annotations

import pytest

from mars2.sandbox.worker.tester.reading import called_names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("assert add(1, 2) == 3", ("add",)),
        ("def check(candidate):\n    assert candidate(1) == 2\ncheck(add)", ("add",)),
        ("assert math.isclose(area(2), 12.5)", ("area",)),
        ("x = [1]\nchange(x)\nassert x == [2]\nassert other(x)", ("change", "other")),
        ("import random\nfor _ in range(3):\n    n = random.randint(0, 9)\n    assert f(n) == n", ("f",)),
        ("try:\n    f(1)\nexcept ValueError as e:\n    print(e)", ("f",)),
        ("assert True", ()),
        ("assert Split([1]) == [1]", ("Split",)),  # a capital does not make a class
        ("METADATA = {'a': 1}\nassert set(f(1)) == {1}", ("f",)),
    ],
)
def test_calls_by_value(code: str, names: tuple[str, ...]) -> None:
    assert called_names(code) == names


@pytest.mark.parametrize(
    "code",
    [
        "assert Box(3).x == 3",
        "assert Box(3) == Box(3)",
        "assert size([Box(3)]) == 1",
        "b = Box(3)\nassert size(b) == 1",
        "assert box.x == 3",
        "assert LIMIT == 3",
        "assert [f][0](1) == 1",
        "exec('f(1)')",
        "assert f(1",
    ],
)
def test_others_need_the_candidate_s_process(code: str) -> None:
    assert called_names(code) is None
