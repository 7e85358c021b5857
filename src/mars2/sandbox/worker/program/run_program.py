"""Runs one program for one test and says what came of it: here in a candidate, elsewhere in a remote service.

A report is ("exit", code), ("value", bytes), ("done",) or ("error", type, message, traceback). A remote service has
only the files that `sandboxfusion` sends it, and Python 3.10 at least.
"""

from __future__ import annotations

import io
import marshal
import sys
import types
from collections.abc import Callable
from typing import Any

from ..encoding import EncodingError, encode
from ..protocol import EXIT_0, PROGRAM_NAME, RUN_ASSERT, RUN_CALL, TEST_NAME
from ..recursion import make_room
from . import typed_call

SCRIPT, MODULE = "__main__", "solution"  # `__name__` of a program that is run, and of one whose functions are called
COMPILE_ERRORS = (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError)
_MAX_MESSAGE = 2_000
_MAX_TRACE_LINES = 12


def run_program(kind: int, body: bytes, code: types.CodeType, namespace: dict[str, Any]) -> Any:
    """Run a program, then the call or the assertions of a test. Raises whatever it raises."""
    if kind == RUN_CALL:
        return _call(body, code, namespace)
    exec(code, namespace)
    return _assert(body, namespace) if kind == RUN_ASSERT else EXIT_0


def _call(body: bytes, code: types.CodeType, namespace: dict[str, Any]) -> Any:
    asked, args = marshal.loads(body)  # written by the supervisor
    name, kinds = (asked, ()) if isinstance(asked, str) else asked
    if kinds:
        typed_call.provide(namespace)
    exec(code, namespace)
    value: Any
    if not kinds:
        value = function_of(namespace, name)(*args)
    elif kinds[0] == typed_call.OPERATIONS:
        value = typed_call.operate(namespace, name, kinds, args)
    else:
        value = typed_call.call(namespace, function_of(namespace, name), kinds, args)
    return carried(lambda: encode(value))


def function_of(namespace: dict[str, Any], name: str) -> Any:
    """The method of the program's class `Solution`, which a helper of that name does not hide, or its function."""
    solution, function = namespace.get("Solution"), namespace.get(name)
    if solution is not None and (function is None or hasattr(solution, name)):
        return getattr(solution(), name)
    if function is None:
        raise NameError(f"the program defines no function {name!r}")
    return function


def _assert(body: bytes, namespace: dict[str, Any]) -> Any:
    code = body.decode("utf-8", "surrogatepass")
    try:
        exec(compile(code, TEST_NAME, "exec", dont_inherit=True), namespace)
    except AssertionError as error:
        return ("error", "AssertionError", assertion_message(error, code), "")
    return ("done",)


def carried(pack: Callable[[], bytes]) -> Any:
    """The report of a value, as bytes that `pack` makes."""
    make_room()
    try:
        return ("value", pack())
    except EncodingError as error:
        return ("error", "EncodingError", f"returned value: {error}", "")


def error_report(error: BaseException, source: bytes) -> Any:
    """The report of a program that raised."""
    return ("error", type(error).__name__[:100], message_of(error), _traceback(error, source))


def _traceback(error: BaseException, source: bytes) -> str:
    """The lines of the traceback that lie inside the program, outermost first."""
    lines: list[str] = []
    source_lines = source.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename == PROGRAM_NAME:
            number = step.tb_lineno
            line = source_lines[number - 1].strip() if 0 < number <= len(source_lines) else ""
            lines.append(f"line {number}, in {code.co_name}: {line[:200]}")
        step = step.tb_next
    if len(lines) > _MAX_TRACE_LINES:
        half = _MAX_TRACE_LINES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} more …", *lines[-half:]]
    return "\n".join(lines)


def exit_code(error: SystemExit) -> int:
    """As the interpreter does: None is 0, an integer itself, anything else is printed and 1."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return int(error.code) & 0xFF if -(2**63) <= error.code < 2**63 else 255
    print(error.code, file=sys.stderr)
    return 1


def message_of(error: BaseException) -> str:
    """The text of an exception, shortened; it may be of the program's own making."""
    try:
        return str.__getitem__(str(error), slice(_MAX_MESSAGE))
    except BaseException as second:
        return f"<its message raised {type(second).__name__}>"


def assertion_message(error: BaseException, code: str) -> str:
    """The message of a failed assertion of a test, or its source line."""
    message = message_of(error)
    step, number = error.__traceback__, 0
    while step is not None:
        if step.tb_frame.f_code.co_filename == TEST_NAME:
            number = step.tb_lineno
        step = step.tb_next
    lines = code.split("\n")
    line = lines[number - 1].strip()[:_MAX_MESSAGE] if 0 < number <= len(lines) else ""
    return message or f"failed: {line}"


def standard_streams() -> tuple[io.TextIOWrapper, ...]:
    """New streams over descriptors 0, 1 and 2, as an interpreter makes them."""
    return (_text_stream(0, "r", "stdin"), _text_stream(1, "w", "stdout"), _text_stream(2, "w", "stderr"))


def _text_stream(descriptor: int, mode: str, name: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = f"<{name}>"
    if mode == "r":
        stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape", newline="\n")
    else:
        errors = "backslashreplace" if name == "stderr" else "surrogateescape"
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors=errors, newline="\n", line_buffering=name == "stderr"
        )
    stream.mode = mode  # type: ignore[misc]
    return stream
