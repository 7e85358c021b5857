"""Problems and their tests. Agents only ever see `Problem.visible()`: no hidden tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from mars2.core.bounds import check_bounds

NamedComparison = Literal[
    "exact", "tolerant", "tokens", "unordered", "livecodebench", "apps", "apps_wrapped", "codecontests"
]
"""How an output is compared; the rules are in `mars2.sandbox.worker.supervisor.comparison`."""


@dataclass(frozen=True, slots=True)
class Checker:
    """The problem's own way to decide: Python source that defines `check(input, expected, actual) -> bool`.

    It is called with texts for a stdio test; with the tuple of arguments and the two values for a call test. It runs in
    a jail, in a process of its own.
    """

    source: str
    problem_id: str = field(default="", compare=False)  # whom to name if the checker itself fails


Comparison = NamedComparison | Checker


@dataclass(frozen=True, slots=True)
class StdioTest:
    """The program reads `input` on stdin and must print `output`."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class CallTest:
    """`function(*args)` must return `expected`. Values are JSON-like, plus tuples and sets.

    `types` are given where a value is not passed as it is: one for each argument, then that of the result. "ListNode"
    and "TreeNode" are LeetCode's, written as lists (a tree in level order); "[ListNode]" is a list of them; "" is a
    value as it is. A number in place of the result's type says which argument is compared after the call (from 0),
    because the function changes it. `types` that begin with "operations" call the class `function`: `args` are the
    names of its operations (its own first) and their lists of arguments, `expected` has the result of each; the other
    types are those of its constructor's arguments, if they are not plain.
    """

    function: str
    args: tuple[Any, ...]
    expected: Any
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssertTest:
    """`code` is run after the program, in its namespace, and must not raise (HumanEval's `check`, MBPP's asserts)."""

    code: str


Test = StdioTest | CallTest | AssertTest


MOST_SECONDS, MOST_MEMORY_MIB, MOST_OUTPUT_KIB = 86_400.0, 2**20, 2**20
"""What limits may be at most: a day, 1 TiB, 1 GiB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one test may use."""

    cpu_s: Annotated[float, Gt(0), Le(MOST_SECONDS)] = 6.0
    wall_s: Annotated[float, Gt(0), Le(MOST_SECONDS)] | None = None  # None: 2·cpu_s + 1
    memory_mib: Annotated[int, Ge(1), Le(MOST_MEMORY_MIB)] = 512
    stdout_kib: Annotated[int, Ge(1), Le(MOST_OUTPUT_KIB)] = 16 * 1024
    stderr_kib: Annotated[int, Ge(1), Le(MOST_OUTPUT_KIB)] = 64
    source_kib: Annotated[int, Ge(1)] = 256

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def effective_wall_s(self) -> float:
        return 2 * self.cpu_s + 1 if self.wall_s is None else self.wall_s


@dataclass(frozen=True, slots=True)
class Suite:
    """What a program is judged by: the tests, what each may use, and how outputs are compared."""

    tests: tuple[Test, ...]
    limits: Limits = Limits()
    comparison: Comparison = "exact"


@dataclass(frozen=True, slots=True)
class VisibleProblem:
    """What an agent may see."""

    id: str
    statement: str
    public_tests: tuple[Test, ...]
    entry_point: str | None
    starter_code: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A programming task: a statement, public tests (shown; search uses them), hidden tests (reward and report)."""

    id: str
    statement: str
    public_tests: tuple[Test, ...]
    hidden_tests: tuple[Test, ...]
    entry_point: str | None = None
    starter_code: str = ""
    limits: Limits = Limits()
    comparison: Comparison = "exact"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)

    @property
    def public(self) -> Suite:
        """The public tests, as a judge takes them."""
        return self.suite(self.public_tests)

    @property
    def hidden(self) -> Suite:
        """The hidden tests, as a judge takes them."""
        return self.suite(self.hidden_tests)

    def suite(self, tests: tuple[Test, ...]) -> Suite:
        """`tests` under this problem's limits and comparison."""
        return Suite(tests, self.limits, self.comparison)

    def visible(self) -> VisibleProblem:
        return VisibleProblem(self.id, self.statement, self.public_tests, self.entry_point, self.starter_code)

    def with_limits(self, limits: Limits) -> Problem:
        return replace(self, limits=limits)
