"""Runs the candidate inside its jailed process: load once, then one test at a time on request.

Everything here is in the candidate's own hands once it runs. That is fine: the process knows the inputs and never an
expected output, so the most that a forger can do is to answer.
"""

from __future__ import annotations

import _sitebuiltins  # `exit` and `quit`, which a bare interpreter lacks
import _thread
import ast
import atexit
import builtins
import gc
import io
import marshal
import os
import socket
import struct
import sys
import threading
import types
from typing import Any

from . import checker, tester
from .encoding import EncodingError, decode, encode
from .scan import Sentinels, modules_if_stateless

CONTROL, BOX, STDIN, STDOUT, STDERR = 3, 4, 5, 6, 7  # descriptors; the last three are the keepers of 0, 1 and 2
HELLO, LOADED, REFUSED, CALLING, DONE = b"h", b"l", b"r", b"k", b"d"  # first byte of a message to the supervisor
LOAD, SCAN, RUN_STDIO, RUN_CALL, RUN_ASSERT, RUN_TESTER = (
    b"L",
    b"N",
    b"S",
    b"C",
    b"A",
    b"T",
)  # first byte of a request …
CHECK = b"V"  # … of a problem's own checker …
BEGIN, SERVE_CALL, END = b"B", b"K", b"E"  # … and of those of a test that runs apart, in a tester's process
OUTPUT_TOO_LARGE = "OutputLimitExceeded"
REPLY = struct.Struct("<cIB")  # kind, bytes in the box, 1 if the process may run another test
_SCRIPT, _MODULE = "__main__", "solution"  # `__name__` of a program that is run, and of one whose functions are called
PROGRAM_NAME, TEST_NAME = "solution.py", "<test>"
_HARNESS_RECURSION = 5_000
_MAX_MESSAGE = 2_000
_MAX_TRACE_LINES = 12
_DEFAULT_THREAD_STACK = 8 * 2**20


def serve() -> None:
    """Answer requests until the supervisor ends this process."""
    control = socket.socket(fileno=CONTROL)
    control.send(REPLY.pack(HELLO, 0, 0))
    candidate = _Candidate()
    while True:
        request = control.recv(64)
        if not request:
            os._exit(0)
        kind, length = request[:1], int.from_bytes(request[1:9], "little")
        body = os.pread(BOX, length, 0)
        if kind in (LOAD, SCAN):
            reply, report = candidate.load(body, scan=kind == SCAN)
            reusable = candidate.sentinels is not None
        elif kind == RUN_TESTER:
            reply, report, reusable = DONE, tester.run(control, *marshal.loads(body)), True
        elif kind == CHECK:
            reply, report, reusable = DONE, checker.run(body), False
        elif kind in (BEGIN, SERVE_CALL):
            reply, report, reusable = DONE, candidate.step(kind, body), True
        else:
            report = candidate.run(kind, body)
            reply, reusable = DONE, candidate.reset()
        data = encode(report)
        os.ftruncate(BOX, 0)
        try:
            write_all(BOX, data)
        except OSError:  # larger than the output limit
            data = encode(("error", OUTPUT_TOO_LARGE, "the returned value is larger than the output limit", ""))
            os.ftruncate(BOX, 0)
            write_all(BOX, data)
        control.send(REPLY.pack(reply, len(data), reusable))


def write_all(descriptor: int, data: bytes) -> None:
    view, offset = memoryview(data), 0
    while offset < len(view):
        offset += os.pwrite(descriptor, view[offset : offset + 2**20], offset)


class _Candidate:
    """One program, loaded."""

    def __init__(self, keepers: tuple[int, int, int] = (STDIN, STDOUT, STDERR), box: int = BOX) -> None:
        self.keepers, self.box = keepers, box  # descriptors that 0, 1 and 2 are made from before each test; the box
        self.code: types.CodeType | None = None
        self.source_lines: list[str] = []
        self.sentinels: Sentinels | None = None
        self.main = types.ModuleType("__main__")
        self.streams: tuple[io.TextIOWrapper, ...] = ()

    def load(self, source: bytes, *, scan: bool) -> tuple[bytes, Any]:
        """Compile, and find out whether the process may run several tests; a refusal reports (error type, message)."""
        tree = None
        try:
            text = source.decode("utf-8", "surrogatepass").removeprefix("\ufeff")
            tree = ast.parse(text, PROGRAM_NAME) if scan else None
            self.code = compile(text if tree is None else tree, PROGRAM_NAME, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            return REFUSED, (type(error).__name__, message_of(error))
        self.source_lines = text.split("\n")
        modules = modules_if_stateless(tree) if tree is not None else None
        if modules is not None:
            for module in modules:
                __import__(module)
            self.sentinels = Sentinels(modules)
        return LOADED, None

    def run(self, kind: bytes, body: bytes) -> Any:
        """One test. The report is ("exit", code), ("value", value) or ("error", type, message, traceback)."""
        report = ("done",) if kind == END else self.step(kind, body)
        try:
            self._finish()
        except SystemExit:
            pass
        except BaseException as error:
            if report in (("exit", 0), ("done",)):
                report = self._error(error)
        return report

    def step(self, kind: bytes, body: bytes) -> Any:
        """The part of a test that runs the candidate's code."""
        try:
            if kind == SERVE_CALL:
                return self._serve_call(body)
            self._prepare(_SCRIPT if kind == RUN_STDIO else _MODULE)
            if kind == RUN_CALL:
                return self._run_call(body)
            if kind == RUN_ASSERT:
                return self._run_assert(body)
            return self._run_program()
        except SystemExit as error:
            return ("exit", _exit_code(error))
        except BaseException as error:
            return self._error(error)

    def _prepare(self, name: str) -> None:
        for descriptor, keeper in enumerate(self.keepers):
            os.dup2(keeper, descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
        os.lseek(self.box, 0, os.SEEK_SET)  # not even a position in a file is left for the next test
        sys.stdin = sys.__stdin__ = _text_stream(0, "r", "stdin")  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = _text_stream(1, "w", "stdout")  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = _text_stream(2, "w", "stderr")  # type: ignore[misc]
        self.streams = (sys.stdout, sys.stderr)
        sys.setrecursionlimit(1_000)
        threading.stack_size(_DEFAULT_THREAD_STACK)
        self.main = types.ModuleType(name)
        self.main.__dict__.update(__builtins__=builtins, __file__=PROGRAM_NAME)
        sys.modules["__main__"] = sys.modules[name] = self.main

    def _run_program(self) -> Any:
        assert self.code is not None
        exec(self.code, self.main.__dict__)
        return ("exit", 0)

    def _run_call(self, body: bytes) -> Any:
        self._run_program()
        name, args = marshal.loads(body)  # written by the supervisor
        return _carried(self._function(name)(*args))

    def _serve_call(self, body: bytes) -> Any:
        """One call by a tester in another process; the arguments go back too, for they may have been changed."""
        name, args, kwargs = decode(body)
        value = self._function(name)(*args, **kwargs)
        return _carried((value, args))

    def _function(self, name: str) -> Any:
        function = self.main.__dict__.get(name)
        if function is None and "Solution" in self.main.__dict__:
            function = getattr(self.main.__dict__["Solution"](), name)
        if function is None:
            raise NameError(f"the program defines no function {name!r}")
        return function

    def _run_assert(self, body: bytes) -> Any:
        self._run_program()
        code = body.decode("utf-8", "surrogatepass")
        try:
            exec(compile(code, TEST_NAME, "exec", dont_inherit=True), self.main.__dict__)
        except AssertionError as error:
            return ("error", "AssertionError", assertion_message(error, code), "")
        return ("done",)

    def _finish(self) -> None:
        """What an interpreter does at its end: wait for threads, run exit handlers, drop everything, flush."""
        if _thread._count():
            threading._shutdown()  # type: ignore[attr-defined]
        _make_room()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        namespace = self.main.__dict__
        self.main = types.ModuleType("__main__")
        namespace.clear()
        gc.collect()
        for stream in self.streams:
            if not stream.closed:
                stream.flush()

    def reset(self) -> bool:
        """Whether this process is as it was before the test, and may run the next one."""
        sentinels = self.sentinels
        if sentinels is None or _thread._count() or not sentinels.untouched():
            return False
        return gc.isenabled()

    def _error(self, error: BaseException) -> Any:
        return ("error", type(error).__name__[:100], message_of(error), self._traceback(error))

    def _traceback(self, error: BaseException) -> str:
        """The lines of the traceback that lie inside the program, outermost first."""
        lines: list[str] = []
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            if code.co_filename == PROGRAM_NAME:
                number = step.tb_lineno
                source = self.source_lines[number - 1].strip() if 0 < number <= len(self.source_lines) else ""
                lines.append(f"line {number}, in {code.co_name}: {source[:200]}")
            step = step.tb_next
        if len(lines) > _MAX_TRACE_LINES:
            half = _MAX_TRACE_LINES // 2
            lines = [*lines[:half], f"… {len(lines) - 2 * half} more …", *lines[-half:]]
        return "\n".join(lines)


def _carried(value: object) -> Any:
    _make_room()
    try:
        return ("value", encode(value))
    except EncodingError as error:
        return ("error", "EncodingError", f"returned value: {error}", "")


def _make_room() -> None:
    """Let the harness recurse as deep as it needs, without lowering the limit under threads that still run."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _HARNESS_RECURSION))


def _text_stream(descriptor: int, mode: str, name: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    raw.name = f"<{name}>"
    if mode == "r":
        stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape", newline=None)
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
        return int(error.code) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def message_of(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_MESSAGE]
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


_REHEARSED = (
    "import sys\ndef main():\n    for line in sys.stdin:\n        print(sum(map(int, line.split())))\nmain()\n",
    "from collections import deque\nclass Solution:\n    def f(self, a): return [x for x in deque(a) if x > 0]\n",
)


def rehearse() -> None:
    """Go through every step once with programs of our own, so that children find code and memory warmed up.

    Done in the zygote: what is touched and cached here need not be in each child, at half the cost of a judgement.
    """
    files = [os.memfd_create("rehearsal") for _ in range(3)]
    for _ in range(20):
        for source in _REHEARSED:
            rehearsal = _Candidate((files[0], files[1], files[2]), files[0])
            rehearsal.load(source.encode(), scan=True)
            encode(rehearsal.run(RUN_STDIO, b""))
            encode(rehearsal.run(RUN_CALL, marshal.dumps(("f", ([1, -1],)))))
            rehearsal.reset()
    for descriptor in files:
        os.close(descriptor)


def install_exit_builtins() -> None:
    """Give programs `exit` and `quit`, as the `site` module would."""
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
