"""Runs the candidate inside its jailed process: load once, then one test at a time on request.

Everything here is in the candidate's own hands once it runs. That is fine: the process knows the inputs and never an
expected output, so the most that a forger can do is to answer.
"""

from __future__ import annotations

import _thread
import atexit
import builtins
import gc
import io
import marshal
import os
import resource
import sys
import threading
import types
import warnings
from collections.abc import Callable
from time import monotonic, process_time
from typing import Any

from ..encoding import EncodingError, encode
from ..protocol import (
    BEGIN,
    BOX,
    CHECK,
    CONTROL,
    DONE,
    END,
    EXIT_0,
    EXITED_WITH_0,
    HELLO,
    IN_FILES,
    LAST,
    MORE,
    OUTPUT_TOO_LARGE,
    PROGRAM_NAME,
    RECORD,
    REPLY,
    RUN_ASSERT,
    RUN_CALL,
    RUN_STDIO,
    RUN_TESTER,
    RUN_TESTS,
    SERVE_CALL,
    STDERR,
    STDIN,
    STDOUT,
    TEST_NAME,
    VOID,
    Tests,
    write_all,
)
from ..reuse.sentinels import Sentinels, sentinels_of
from ..tester import by_value
from . import checker

_MOST_INLINE = 1 << 14  # bytes printed by a test that are moved to its record
_MOST_RECORDED = 1 << 18  # bytes of records
_SCRIPT, _MODULE = "__main__", "solution"  # `__name__` of a program that is run, and of one whose functions are called
_RECURSION = 1_000 + 21  # an interpreter's own limit, and the frames that lie below a program's here
_HARNESS_RECURSION = 5_000
_TRUSTED_RECURSION = 10_000  # of tests and checkers in a process of their own
_MAX_MESSAGE = 2_000
_MAX_TRACE_LINES = 12
_DEFAULT_THREAD_STACK = 8 * 2**20
_GREETING = REPLY.pack(HELLO, 0, 0)
_EXITED_RECORD = RECORD.pack(LAST, len(EXITED_WITH_0), IN_FILES, IN_FILES, 0.0, 0.0) + EXITED_WITH_0
_NO_STREAMS: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"))
_set_stack_size = threading.stack_size


def serve(candidate: Candidate) -> None:
    """Run the tests of the job that lies in the box, then answer requests, then leave."""
    (
        candidate.packed,
        candidate.source,
        modules,
        candidate.stops,
        candidate.cpu_slice_s,
        candidate.wall_slice_s,
        tests,
        stay,
        is_heard,
    ) = marshal.loads(os.pread(BOX, os.lseek(BOX, 0, os.SEEK_END), 0))  # by the supervisor
    if is_heard:
        os.write(CONTROL, _GREETING)  # now the box and the files are free for requests
    if modules is not None:
        candidate.sentinels = sentinels_of(modules)
    while True:
        if len(tests) == 1 and not stay:
            candidate.run_last(*tests[0])
            return candidate.leave(0)
        if tests:
            clean = candidate.run_tests(tests, stay)
            if not clean and not stay:
                return candidate.leave(0)
            os.write(CONTROL, REPLY.pack(DONE, 0, clean))
        request = os.read(CONTROL, 64)
        if not request:
            return candidate.leave(0)
        kind, body = request[0], os.pread(BOX, int.from_bytes(request[1:9], "little"), 0)
        if kind == RUN_TESTS:
            tests, stay = marshal.loads(body)
        else:
            tests = []
            _answer(candidate, kind, body)


def _answer(candidate: Candidate, kind: int, body: bytes) -> None:
    """One step of a test, or one by itself whose report the supervisor waits for."""
    if kind in (RUN_TESTER, CHECK):
        sys.setrecursionlimit(_TRUSTED_RECURSION)
    if kind == RUN_TESTER:
        from ..tester import tester  # preloaded where it is used, see `nursery`

        report, reusable = tester.run(*marshal.loads(body)), True
    elif kind == CHECK:
        report, reusable = checker.run(body), False
    elif kind in (BEGIN, SERVE_CALL):
        report, reusable = candidate.step(kind, body), True
    else:
        report = candidate.run(kind, body)
        reusable = candidate.reset()
    data = encode(report)
    os.ftruncate(BOX, 0)
    try:
        write_all(BOX, data)
    except OSError:  # larger than the output limit
        data = encode(("error", OUTPUT_TOO_LARGE, "the returned value is larger than the output limit", ""))
        os.ftruncate(BOX, 0)
        write_all(BOX, data)
    os.write(CONTROL, REPLY.pack(DONE, len(data), reusable))


class Candidate:
    """One program."""

    def __init__(self, keepers: tuple[int, int, int] = (STDIN, STDOUT, STDERR), box: int = BOX) -> None:
        self.keepers, self.box = keepers, box  # descriptors that 0, 1 and 2 are made from before each test; the box
        self.packed, self.source = b"", b""
        self.code: types.CodeType | None = None
        self.sentinels: Sentinels | None = None
        self.stops, self.cpu_slice_s, self.wall_slice_s = True, 0.0, 0.0
        self.main = types.ModuleType(_SCRIPT)
        self.streams: tuple[Any, Any, Any] = (sys.stdin, sys.stdout, sys.stderr)
        self.is_ready = False  # whether the process is as `_prepare` leaves it
        self.leave: Callable[[int], None] = os._exit  # at once: what is freed before changes pages

    def run_last(self, kind: int, body: bytes, _stdin: bytes) -> None:
        """A test with nothing after it, a record of it put into the box; what it took is known from outside."""
        os.ftruncate(self.box, 0)
        report = self.run(kind, body)
        if report == EXIT_0:
            os.pwrite(self.box, _EXITED_RECORD, 0)
        else:
            self._record_last(encode(report), 0, 0.0, 0.0)

    def run_tests(self, tests: Tests, stay: bool) -> bool:
        """Tests one after another, a record of each put into the box; whether this process may run more.

        It stops early when the time for tests that nobody watches is used up, or when there is much output.
        """
        os.ftruncate(self.box, 0)
        end, left = 0, len(tests)
        first_cpu, first_wall = cpu, wall = process_time(), monotonic()
        for kind, body, stdin in tests:
            left -= 1
            if end:  # not the first
                os.ftruncate(self.keepers[0], 0)
                write_all(self.keepers[0], stdin)
            report = self.run(kind, body)
            data = EXITED_WITH_0 if report == EXIT_0 else encode(report)
            start_cpu, start_wall, cpu, wall = cpu, wall, process_time(), monotonic()
            if end and len(data) > _MOST_INLINE:
                write_all(self.box, RECORD.pack(VOID, 0, 0, 0, 0.0, 0.0), end)
                return False
            wanted = left and (data is EXITED_WITH_0 or not self.stops or report[0] not in ("exit", "error"))
            clean = bool(wanted or stay) and self.reset()
            in_time = cpu - first_cpu < self.cpu_slice_s and wall - first_wall < self.wall_slice_s
            printed = self._printed() if wanted and clean and in_time and end < _MOST_RECORDED else None
            cpu_s, wall_s = cpu - start_cpu, wall - start_wall
            if printed is None:
                return self._record_last(data, end, cpu_s, wall_s) and clean
            record = RECORD.pack(MORE, len(data), *map(len, printed), cpu_s, wall_s) + data + printed[0] + printed[1]
            write_all(self.box, record, end)
            end += len(record)
        return True

    def _record_last(self, data: bytes, end: int, cpu_s: float, wall_s: float) -> bool:
        """Record a test whose output stays in the files; whether there was room."""
        try:
            write_all(self.box, RECORD.pack(LAST, len(data), IN_FILES, IN_FILES, cpu_s, wall_s) + data, end)
        except OSError:  # larger than the output limit
            data = encode(("error", OUTPUT_TOO_LARGE, "the returned value is larger than the output limit", ""))
            os.ftruncate(self.box, 0)
            write_all(self.box, RECORD.pack(LAST, len(data), IN_FILES, IN_FILES, 0.0, 0.0) + data)
            return False
        return True

    def _printed(self) -> tuple[bytes, bytes] | None:
        """What is in the files of stdout and stderr, which are then empty; None, and nothing done, if it is much."""
        _, stdout, stderr = self.keepers
        sizes = os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)
        if max(sizes) > _MOST_INLINE:
            return None
        printed = os.pread(stdout, sizes[0], 0), os.pread(stderr, sizes[1], 0) if sizes[1] else b""
        os.ftruncate(stdout, 0)
        if sizes[1]:
            os.ftruncate(stderr, 0)
        return printed

    def run(self, kind: int, body: bytes) -> Any:
        """One test. The report is ("exit", code), ("value", value) or ("error", type, message, traceback)."""
        report = ("done",) if kind == END else self.step(kind, body)
        try:
            self._finish()
        except SystemExit:
            pass
        except BaseException as error:
            if report in (EXIT_0, ("done",)):
                report = self._error(error)
        return report

    def step(self, kind: int, body: bytes) -> Any:
        """The part of a test that runs the candidate's code."""
        try:
            if kind == SERVE_CALL:
                return self._serve_call(body)
            if not self.is_ready:
                self._prepare()
            self.is_ready = False
            if kind != RUN_STDIO:
                self.main.__dict__["__name__"] = _MODULE
                sys.modules[_MODULE] = self.main
            self.code = self.code or marshal.loads(self.packed)
            assert self.code is not None
            exec(self.code, self.main.__dict__)
            if kind == RUN_CALL:
                return self._call(body)
            return self._assert(body) if kind == RUN_ASSERT else EXIT_0
        except SystemExit as error:
            return ("exit", _exit_code(error))
        except BaseException as error:
            return self._error(error)

    def _prepare(self) -> None:
        """Standard streams, limits and `__main__` as they are at the start of a program."""
        for descriptor, keeper in enumerate(self.keepers):
            os.dup2(keeper, descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
        os.lseek(self.box, 0, os.SEEK_SET)  # not even a position in a file is left for the next test
        self.settle()

    def settle(self) -> None:
        """The part of `_prepare` that does without the files: done in the zygote, so that children find it done."""
        stdin, stdout, stderr = _standard_streams()
        sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = stderr  # type: ignore[misc]
        self.streams = (stdin, stdout, stderr)
        sys.setrecursionlimit(_RECURSION)
        _set_stack_size(_DEFAULT_THREAD_STACK)
        self.main = types.ModuleType(_SCRIPT)
        self.main.__dict__.update(__builtins__=builtins, __file__=PROGRAM_NAME)
        sys.modules[_SCRIPT] = self.main
        self.is_ready = True

    def _call(self, body: bytes) -> Any:
        name, args = marshal.loads(body)  # written by the supervisor
        value = self._function(name)(*args)
        return _carried(lambda: encode(value))

    def _serve_call(self, body: bytes) -> Any:
        """One call by a tester in another process; see `exchange`."""
        name, args, kwargs, passed = by_value.unpack_call(body)
        try:
            value = self._function(name)(*args, **kwargs)
            return _carried(lambda: by_value.pack_result(value, passed))
        except SystemExit:
            raise
        except BaseException as error:
            return (*self._error(error), *by_value.pack_error(error))

    def _function(self, name: str) -> Any:
        function = self.main.__dict__.get(name)
        if function is None and "Solution" in self.main.__dict__:
            function = getattr(self.main.__dict__["Solution"](), name)
        if function is None:
            raise NameError(f"the program defines no function {name!r}")
        return function

    def _assert(self, body: bytes) -> Any:
        code = body.decode("utf-8", "surrogatepass")
        try:
            exec(compile(code, TEST_NAME, "exec", dont_inherit=True), self.main.__dict__)
        except AssertionError as error:
            return ("error", "AssertionError", assertion_message(error, code), "")
        return ("done",)

    def _finish(self) -> None:
        """What an interpreter does at its end: wait for threads, run exit handlers, drop everything, flush.

        Whatever of the program runs after this runs nowhere else; see `reset`.
        """
        if _thread._count():
            threading._shutdown()  # type: ignore[attr-defined]
        _make_room()
        atexit._run_exitfuncs()
        try:
            if sys.stdout is not None and not sys.stdout.closed:
                sys.stdout.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = self.streams
            self.main.__dict__.clear()
            _collect()
            _make_room()
            for stream in self.streams[1:]:
                try:
                    if stream is not None and not stream.closed:
                        stream.flush()
                except ValueError:  # its buffer was detached
                    pass

    def reset(self) -> bool:
        """Whether this process is as it was before the test, and may run the next one.

        It is not if any of the program still ran: what that printed is taken back, and the process is to end.
        """
        sentinels = self.sentinels
        if sentinels is None or _thread._count():
            return False
        _, stdout, stderr = self.keepers
        sizes = os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)
        sentinels.forget()
        sys.__dict__.update(_NO_STREAMS)
        self.streams = (None, None, None)  # new ones are made for each test; these may hold what was put into them
        garbage = gc.collect()
        _make_room()
        if sizes != (os.lseek(stdout, 0, os.SEEK_END), os.lseek(stderr, 0, os.SEEK_END)):
            os.ftruncate(stdout, sizes[0])
            os.ftruncate(stderr, sizes[1])
            return False
        if garbage or self.main.__dict__ or atexit._ncallbacks() or sys.stdin is not None or sys.stdout is not None:
            return False
        if not sentinels.untouched():
            return False
        _forget_warnings()
        return gc.isenabled()

    def _error(self, error: BaseException) -> Any:
        return ("error", type(error).__name__[:100], message_of(error), self._traceback(error))

    def _traceback(self, error: BaseException) -> str:
        """The lines of the traceback that lie inside the program, outermost first."""
        lines: list[str] = []
        source_lines = self.source.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            if code.co_filename == PROGRAM_NAME:
                number = step.tb_lineno
                source = source_lines[number - 1].strip() if 0 < number <= len(source_lines) else ""
                lines.append(f"line {number}, in {code.co_name}: {source[:200]}")
            step = step.tb_next
        if len(lines) > _MAX_TRACE_LINES:
            half = _MAX_TRACE_LINES // 2
            lines = [*lines[:half], f"… {len(lines) - 2 * half} more …", *lines[-half:]]
        return "\n".join(lines)


def _forget_warnings_slowly() -> None:
    with warnings.catch_warnings():
        pass


# What was warned of once may be warned of again: registries of an older version of the filters do not count.
_forget_warnings = getattr(warnings, "_filters_mutated", _forget_warnings_slowly)


def _carried(pack: Callable[[], bytes]) -> Any:
    """The report of a value, as bytes that `pack` makes."""
    _make_room()
    try:
        return ("value", pack())
    except EncodingError as error:
        return ("error", "EncodingError", f"returned value: {error}", "")


def _collect() -> None:
    """All garbage; where the oldest generation is empty, at less cost (a full collection also frees spare memory)."""
    try:
        oldest = 2 if gc.get_objects(2) else 1
    except MemoryError:  # it is large
        oldest = 2
    gc.collect(oldest)


def _make_room() -> None:
    """Let the harness recurse as deep as it needs, without lowering the limit under threads that still run."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _HARNESS_RECURSION))


def _standard_streams() -> tuple[io.TextIOWrapper, ...]:
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


def _exit_code(error: SystemExit) -> int:
    """As the interpreter does: None is 0, an integer itself, anything else is printed and 1."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return int(error.code) & 0xFF if -(2**63) <= error.code < 2**63 else 255
    print(error.code, file=sys.stderr)
    return 1


def message_of(error: BaseException) -> str:
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


def install_stack_size() -> None:
    """Let programs ask for thread stacks of any size: they get half of the memory limit at most."""

    def stack_size(size: int = 0, /) -> int:
        most = resource.getrlimit(resource.RLIMIT_AS)[0] // 2
        return _set_stack_size(size if most < 0 else min(size, most & ~0xFFFF))

    threading.stack_size = _thread.stack_size = stack_size


def install_exit_builtins() -> None:
    """Give programs `exit` and `quit`; unlike those of the `site` module, these hold no attributes to be changed."""
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
