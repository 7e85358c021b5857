"""The candidate: runs a program inside its jailed process, one test at a time.

Everything here is in the candidate's own hands once it runs. That is fine: the process knows the inputs and never an
expected output, so the most that a forger can do is to answer.
"""

from __future__ import annotations

import _thread
import atexit
import builtins
import gc
import marshal
import os
import re
import resource
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from ..encoding import encode
from ..protocol import BOX, END, EXIT_0, PROGRAM_NAME, RUN_STDIO, STDERR, STDIN, STDOUT
from ..records import EXITED_RECORD, write_last
from ..recursion import make_room
from .run_program import MODULE, SCRIPT, error_report, exit_code, function_of, run_program, standard_streams

_RECURSION = 1_000 + 22  # an interpreter's own limit, and the frames that lie below a program's here
_DEFAULT_THREAD_STACK = 8 * 2**20
_NO_STREAMS: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"))
_set_stack_size = threading.stack_size


class Candidate:
    """One program."""

    def __init__(self, keepers: tuple[int, int, int] = (STDIN, STDOUT, STDERR), box: int = BOX) -> None:
        self.keepers, self.box = keepers, box  # descriptors that 0, 1 and 2 are made from before each test; the box
        self.packed, self.source = b"", b""  # as in `Job`
        self.code: types.CodeType | None = None
        self.may_share = False  # whether it may run several tests, see `reuse`
        self.main = types.ModuleType(SCRIPT)
        self.streams: tuple[Any, Any, Any] = (sys.stdin, sys.stdout, sys.stderr)
        self.is_ready = False  # whether the process is as `_prepare` leaves it
        self.leave: Callable[[int], None] = os._exit  # at once: what is freed before changes pages

    def run_last(self, kind: int, body: bytes) -> None:
        """A test with nothing after it, a record of it put into the box; what it took is known from outside."""
        os.ftruncate(self.box, 0)
        report = self.run(kind, body)
        if report == EXIT_0:
            os.pwrite(self.box, EXITED_RECORD, 0)
        else:
            write_last(self.box, encode(report))

    def run(self, kind: int, body: bytes) -> Any:
        """One test. The report is ("exit", code), ("value", value) or ("error", type, message, traceback)."""
        report = ("done",) if kind == END else self.step(kind, body)
        try:
            self._finish()
        except SystemExit:
            pass
        except BaseException as error:
            if report in (EXIT_0, ("done",)):
                report = self.error(error)
        return report

    def step(self, kind: int, body: bytes) -> Any:
        """The part of a test that runs the candidate's code."""
        try:
            if not self.is_ready:
                self._prepare()
            self.is_ready = False
            if kind != RUN_STDIO:
                self.main.__dict__["__name__"] = MODULE
                sys.modules[MODULE] = self.main
            self.code = self.code or marshal.loads(self.packed)
            assert self.code is not None
            return run_program(kind, body, self.code, self.main.__dict__)
        except SystemExit as error:
            return ("exit", exit_code(error))
        except BaseException as error:
            return self.error(error)

    def _prepare(self) -> None:
        """Standard streams, limits and `__main__` as they are at the start of a program."""
        for descriptor, keeper in enumerate(self.keepers):
            os.dup2(keeper, descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
        os.lseek(self.box, 0, os.SEEK_SET)  # not even a position in a file is left for the next test
        self.settle()

    def settle(self) -> None:
        """The part of `_prepare` that does without the files: done in the zygote, so that children find it done."""
        stdin, stdout, stderr = standard_streams()
        sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = stderr  # type: ignore[misc]
        self.streams = (stdin, stdout, stderr)
        sys.setrecursionlimit(_RECURSION)
        _set_stack_size(_DEFAULT_THREAD_STACK)
        self.main = types.ModuleType(SCRIPT)
        self.main.__dict__.update(__builtins__=builtins, __file__=PROGRAM_NAME)
        sys.modules[SCRIPT] = self.main
        self.is_ready = True

    def function(self, name: str) -> Any:
        """What a test means by a name: the program's global, or a method as in `run_program.function_of`."""
        return self.main.__dict__.get(name) or function_of(self.main.__dict__, name)

    def error(self, error: BaseException) -> Any:
        """The report of what the program raised."""
        return error_report(error, self.source)

    def _finish(self) -> None:
        """What an interpreter does at its end: wait for threads, run exit handlers, drop everything, flush.

        Whatever of the program runs after this runs nowhere else; see `reset`.
        """
        if _thread._count():
            threading._shutdown()  # type: ignore[attr-defined]
        make_room()
        atexit._run_exitfuncs()
        try:
            if sys.stdout is not None and not sys.stdout.closed:
                sys.stdout.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = self.streams
            self.main.__dict__.clear()
            _collect()
            make_room()
            for stream in self.streams[1:]:
                try:
                    if stream is not None and not stream.closed:
                        stream.flush()
                except ValueError:  # its buffer was detached
                    pass

    def reset(self) -> bool:
        """Whether this process may run the next test; if so, nothing is left of the one before."""
        if self.may_share:
            re.purge()  # the one memory of the library that a program of that language can fill
            sys.__dict__.update(_NO_STREAMS)
            self.streams = (None, None, None)
        return self.may_share


def _collect() -> None:
    """All garbage; where the oldest generation is empty, at less cost (a full collection also frees spare memory)."""
    try:
        oldest = 2 if gc.get_objects(2) else 1
    except MemoryError:  # it is large
        oldest = 2
    gc.collect(oldest)


def install_stack_size() -> None:
    """Let programs ask for thread stacks of any size: they get half of the memory limit at most."""

    def stack_size(size: int = 0, /) -> int:
        most = resource.getrlimit(resource.RLIMIT_AS)[0] // 2
        return _set_stack_size(size if most < 0 else min(size, most & ~0xFFFF))

    threading.stack_size = _thread.stack_size = stack_size


def install_exit_builtins() -> None:
    """Give programs `exit` and `quit`; unlike those of the `site` module, these hold no attributes to be changed."""
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
