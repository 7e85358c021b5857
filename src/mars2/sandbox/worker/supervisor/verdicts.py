"""Decides the verdict of a test from the report and the resources used: a pure function that every judge shares.

A report may come from a hostile program. Whatever it holds is a verdict on the test, never an error of the judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

from ..encoding import EncodingError, decode
from ..protocol import EXITED_WITH_0, OUTPUT_TOO_LARGE
from .comparison import outputs_equal, values_equal
from .showing import brief, printable, shorten

UNCHECKED = "?"  # status of an answer that the problem's checker has yet to see
SHOWN_CHARACTERS = 2_000  # of an output, a value or a message
_MOST_TYPE_NAME, _MOST_TRACE = 100, 8_000  # characters
_SIGXCPU = 24
_STATUS_OF_ERROR = {"MemoryError": "MLE", OUTPUT_TOO_LARGE: "OLE"}

Test = tuple[Any, ...]
"""("stdio", input, output), ("call", name, args, expected) or ("assert", code); of values that are not plain, `name` is
(name, types), see `program.typed_call`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits and the comparison of a test. `comparison` is None if the problem's checker decides."""

    cpu_s: float
    wall_s: float
    stdout_bytes: int
    comparison: str | None


class Ended(NamedTuple):
    """How a test ended, as seen from outside the jail."""

    report: bytes | None  # what the process wrote about it; None if it died or was killed before it did
    stdout: bytes  # the start of it, if it is longer than allowed
    stdout_bytes: int  # all that was printed
    stderr: bytes
    cpu_s: float
    wall_s: float
    limit: str = ""  # "cpu", "wall" or "output" if that limit ended it
    exit_code: int | None = None  # of a process that wrote no report
    signal: int | None = None


@dataclass(slots=True)
class Outcome:
    """One test's result, with the fields of `mars2.core.verdict.TestResult`, and what a checker is to look at."""

    status: str
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mib: float = 0.0
    actual: str = ""
    error_type: str = ""
    error_message: str = ""
    traceback: str = ""
    stderr: str = ""
    exit_code: int | None = None
    signal: int | None = None
    weak: bool = False
    answer: Any = None  # only for a checker

    def fields(self) -> dict[str, Any]:
        """The fields of a `TestResult` that are not at their default."""
        values = zip(_NAMES, _values_of(self), _DEFAULTS, strict=True)
        return {name: value for name, value, default in values if value is not default and value != default}


_NAMES, _DEFAULTS = zip(*((f.name, f.default) for f in fields(Outcome) if f.name != "answer"), strict=True)
_values_of = attrgetter(*_NAMES)


def decide(test: Test, ended: Ended, rules: Rules, *, passed: bool = True) -> Outcome:
    """The outcome of a test. Its status is `UNCHECKED` if the problem's checker must look at `answer`.

    Limits come first, then the death of a process without a report, then the report. An assertion test is not passed
    unless `passed`, whatever the report says.
    """
    text = ended.stdout.decode("utf-8", "surrogateescape")
    outcome = Outcome("", ended.cpu_s, ended.wall_s, actual=shorten(text, SHOWN_CHARACTERS), signal=ended.signal)
    outcome.stderr = shorten(ended.stderr.decode("utf-8", "replace"), SHOWN_CHARACTERS)
    if ended.stdout_bytes > rules.stdout_bytes or ended.limit == "output":
        outcome.status, outcome.error_type = "OLE", "OutputLimitExceeded"
        outcome.error_message = f"printed more than {rules.stdout_bytes // 1024} KiB"
    elif ended.limit:
        outcome.status, outcome.error_type = "TLE", "TimeLimitExceeded"
        seconds = rules.cpu_s if ended.limit == "cpu" else rules.wall_s
        outcome.error_message = f"ran longer than {seconds:g} s ({ended.limit} time)"
    elif ended.report is None:
        _decide_death(test, ended, rules, outcome, text)
    elif ended.report == EXITED_WITH_0 and test[0] == "stdio":  # nearly always
        outcome.exit_code = 0
        _compare(outputs_equal, text, test[2], rules, outcome)
    else:
        _decide_report(test, ended.report, rules, outcome, text, passed)
    return outcome


def _decide_death(test: Test, ended: Ended, rules: Rules, outcome: Outcome, text: str) -> None:
    """The process ended without a report: `os._exit`, a crash, or the kernel's limit."""
    outcome.exit_code = ended.exit_code
    if ended.exit_code == 0 and test[0] == "stdio":
        _compare(outputs_equal, text, test[2], rules, outcome)
    elif ended.signal == _SIGXCPU:
        outcome.status, outcome.error_type = "TLE", "TimeLimitExceeded"
    else:
        outcome.status, outcome.error_type = "RE", "ProcessDied"
        how = f"signal {ended.signal}" if ended.signal is not None else f"exit code {ended.exit_code}"
        outcome.error_message = f"the process ended with {how} before the test was over"


def _decide_report(test: Test, report: bytes, rules: Rules, outcome: Outcome, text: str, passed: bool) -> None:
    """The outcome by the report, which may be hostile."""
    try:
        match decode(report):
            case ("exit", code) if type(code) is int and 0 <= code <= 255:
                outcome.exit_code = code
                if code != 0 or test[0] != "stdio":
                    outcome.status, outcome.error_type = "RE", "SystemExit"
                    outcome.error_message = f"exit code {code}"
                else:
                    _compare(outputs_equal, text, test[2], rules, outcome)
            case ("value", bytes(data)) if test[0] == "call":
                value = decode(data)
                outcome.actual = brief(value, SHOWN_CHARACTERS)
                _compare(values_equal, value, test[3], rules, outcome)
            case ("done",) if test[0] == "assert" and passed:
                outcome.status = "AC"
            case ("error", str(name), str(message), str(lines), *_):
                outcome.error_type = printable(name[:_MOST_TYPE_NAME], _MOST_TYPE_NAME)
                outcome.error_message = printable(message, SHOWN_CHARACTERS)
                outcome.traceback = printable(lines, _MOST_TRACE)
                outcome.status = _STATUS_OF_ERROR.get(name, "RE")
                if name == "AssertionError" and test[0] == "assert":
                    outcome.status = "WA"
            case _:
                outcome.status, outcome.error_type = "RE", "InvalidReport"
    except EncodingError as error:
        outcome.status, outcome.error_type = "WA", "EncodingError"
        outcome.error_message = f"what came back is not a plain value: {error}"
    except Exception as error:  # unforeseen
        outcome.status, outcome.error_type = "RE", "InvalidReport"
        outcome.error_message = type(error).__name__


def _compare(
    equal: Callable[[Any, Any, str], bool], actual: Any, expected: Any, rules: Rules, outcome: Outcome
) -> None:
    """Compare an answer; where a checker decides, keep the answer for it."""
    if rules.comparison is None:
        outcome.status, outcome.answer = UNCHECKED, actual
    else:
        outcome.status = "AC" if equal(actual, expected, rules.comparison) else "WA"
