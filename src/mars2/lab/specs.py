"""A specification is a chain of operations: how it is worded, written as a program, and run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from types import CodeType
from typing import Any

import numpy as np

from mars2.lab.ops import ARGUMENT_TYPES, OPS, Op, ValueType

FUNCTION = "f"
_ARGUMENT_SHARES: dict[ValueType, float] = {"ints": 0.4, "text": 0.4, "int": 0.2}
_HELD_OUT_ONE_IN = 5
_OPS_FOR = {kind: [op for op in OPS if op.result(kind) is not None] for kind in ARGUMENT_TYPES}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation with its parameter filled in."""

    op: Op
    k: str

    @property
    def phrase(self) -> str:
        return fill(self.op.phrase, self.k)

    @property
    def code(self) -> str:
        return fill(self.op.code, self.k)

    @property
    def slips(self) -> tuple[str, ...]:
        return tuple(fill(slip, self.k) for slip in self.op.slips)


@dataclass(frozen=True, slots=True)
class Spec:
    """What one function must do: `steps` from first to last on an argument of type `argument`."""

    argument: ValueType
    steps: tuple[Step, ...]

    @property
    def statement(self) -> str:
        """For example "ints: sort; drop 2; sum"."""
        return f"{self.argument}: " + "; ".join(step.phrase for step in self.steps)

    @property
    def codes(self) -> tuple[str, ...]:
        """The right code of every step."""
        return tuple(step.code for step in self.steps)

    @property
    def family(self) -> str:
        """ "flow" if any step is control flow, else the family of the first step."""
        families = [step.op.family for step in self.steps]
        return "flow" if "flow" in families else families[0]

    @property
    def held_out(self) -> bool:
        """Whether two of the operations are a held-out pair: such specifications are only ever tests."""
        return any(is_held_out_pair(a.op.name, b.op.name) for a, b in combinations(self.steps, 2))


def fill(text: str, k: str) -> str:
    """Put the parameter `k`, and k + 1 where it is a number, into a text of an operation."""
    return text.format(k=k, p=int(k) + 1) if k.isdigit() else text.format(k=k)


def is_held_out_pair(first: str, second: str) -> bool:
    """Whether these two operations, in either order and with any parameters, never meet in training."""
    key = "+".join(sorted((first, second)))
    return hashlib.sha256(key.encode()).digest()[0] % _HELD_OUT_ONE_IN == 0


def draw_spec(rng: np.random.Generator, depth: int) -> Spec:
    """A random specification of `depth` different operations whose types fit."""
    types = list(_ARGUMENT_SHARES)
    argument = types[rng.choice(len(types), p=list(_ARGUMENT_SHARES.values()))]
    steps: list[Step] = []
    current: ValueType | None = argument
    while len(steps) < depth and current is not None:
        used = [step.op for step in steps]
        fitting = [op for op in _OPS_FOR[current] if not any(op is other for other in used)]
        op = fitting[rng.integers(len(fitting))]
        steps.append(Step(op, op.parameters[rng.integers(len(op.parameters))]))
        current = op.result(current)
    return Spec(argument, tuple(steps))


def write_program(codes: Sequence[str]) -> str:
    """A Python function `f(x)` that runs the codes in order; a last assignment becomes the return."""
    lines = [line for code in codes for line in code.split("\n")]
    if lines and lines[-1].startswith("x = "):
        lines[-1] = "return " + lines[-1].removeprefix("x = ")
    else:
        lines.append("return x")
    return "\n".join([f"def {FUNCTION}(x):", *("    " + line for line in lines)])


@lru_cache(maxsize=4096)
def _compiled(code: str) -> CodeType:
    return compile(code, "<step>", "exec")


def run_codes(codes: Sequence[str], argument: Any) -> Any:
    """The result of the codes on one argument, in this process: only for codes of this package, never for model output.

    Raises whatever the codes raise.
    """
    scope: dict[str, Any] = {"x": argument}
    for code in codes:
        exec(_compiled(code), scope)
    return scope["x"]


def random_argument(kind: ValueType, rng: np.random.Generator) -> Any:
    """A small argument; about one in eight is an edge case (empty, zero, negative)."""
    match kind:
        case "ints":
            length = 0 if rng.random() < 0.08 else int(rng.integers(3, 7))
            return [int(v) for v in rng.integers(-3, 10, size=length)]
        case "text":
            count = 0 if rng.random() < 0.04 else int(rng.integers(1, 4))
            return " ".join(_WORDS[i] for i in rng.integers(len(_WORDS), size=count))
        case "int":
            return int(rng.integers(-9, 0)) if rng.random() < 0.15 else int(rng.integers(0, 60))


_WORDS = ("cat", "dog", "tea", "oat", "box", "Sun", "Red", "toe", "moon", "tree", "boat", "a", "be", "Ox", "at", "sky")
