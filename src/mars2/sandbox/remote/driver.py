"""Runs one test on a remote machine: sent as the program, with `request.bin` and the package `mars2_remote` beside it.

The test runs in a child of this process, under limits; what it printed, what it reports and what it used are left in
files to be fetched. The program under test may write those files itself: they are answers, and are judged elsewhere.
Needs Python 3.10 or newer and a POSIX system; standard library only.
"""

from __future__ import annotations

import atexit
import builtins
import json
import marshal
import os
import resource
import signal
import sys
import threading
import time
import types
from contextlib import suppress
from typing import Any

STARTED = "mars2 started"  # how the other side tells a program's fault from the service's
PROGRAM, TEST = "solution.py", "<test>"
MOST_MESSAGE, MOST_TRACE_LINES, MIN_FILE_BYTES, MIB = 2_000, 12, 1 << 20, 1 << 20


def main() -> None:
    """Run the child, wait for it, end what it left in its session, and write down what it used."""
    with open("request.bin", "rb") as file:
        request = marshal.load(file)
    os.unlink("request.bin")
    for name in ("out.bin", "err.bin", "report.bin"):
        open(name, "wb").close()
    with open("stdin.bin", "wb") as file:
        file.write(request["stdin"])
    print(STARTED, flush=True)
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            run_child(request)
        finally:
            os._exit(70)
    limit = ""
    ended, status, usage = os.wait4(pid, os.WNOHANG)
    while not ended:
        time.sleep(0.002)
        if time.monotonic() - start > request["wall_s"]:
            limit = "wall"
            os.kill(pid, signal.SIGKILL)
        ended, status, usage = os.wait4(pid, 0 if limit else os.WNOHANG)
    wall_s = time.monotonic() - start
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if os.path.getsize("err.bin") > request["stderr_bytes"]:
        os.truncate("err.bin", request["stderr_bytes"])
    used = {"limit": limit, "wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss}
    used["exit_code"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    used["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    with open("usage.json", "w") as file:
        json.dump(used, file)


def run_child(request: dict[str, Any]) -> None:
    """The test, in a session and under limits of its own; the report goes into `report.bin`."""
    os.setsid()
    box = os.open("report.bin", os.O_WRONLY)
    for standard, name, flags in (
        (0, "stdin.bin", os.O_RDONLY),
        (1, "out.bin", os.O_WRONLY),
        (2, "err.bin", os.O_WRONLY),
    ):
        os.dup2(os.open(name, flags | os.O_APPEND if standard else flags), standard)
    from mars2_remote import encoding  # type: ignore[import-not-found]
    from mars2_remote.program import checker  # type: ignore[import-not-found]

    set_limits(request)
    report = checker.run(request["body"]) if request["kind"] == "check" else run_program(request, encoding)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 5_000))
    try:
        view = memoryview(encoding.encode(report))
        while view:
            view = view[os.write(box, view) :]
    except OSError:  # larger than the output limit
        os.ftruncate(box, 0)
        os.pwrite(box, encoding.encode(("error", "OutputLimitExceeded", "the returned value is too large", "")), 0)
    os._exit(0)


def set_limits(request: dict[str, Any]) -> None:
    """CPU time, address space over what there is now, and the size of files."""
    seconds = int(request["cpu_s"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    largest = max(request["stdout_bytes"] + 1, MIN_FILE_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as statm:
            size = int(statm.read().split()[0]) * resource.getpagesize()
        memory = size + request["memory_mib"] * MIB
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (OSError, ValueError):
        pass


def run_program(request: dict[str, Any], encoding: Any) -> Any:
    """("refused", type, message), ("exit", code), ("value", bytes), ("done",) or ("error", type, message, lines)."""
    source = request["program"].decode("utf-8", "surrogatepass").removeprefix("\ufeff")
    try:
        code = compile(source, PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        return ("refused", type(error).__name__, message_of(error))
    kind = request["kind"]
    if kind == "compile":
        return ("done",)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    module = types.ModuleType("__main__" if kind == "stdio" else "solution")
    module.__dict__.update(__builtins__=builtins, __file__=PROGRAM)
    sys.modules["__main__"] = sys.modules[module.__name__] = module
    sys.argv = [PROGRAM]
    sys.setrecursionlimit(1_000)
    try:
        report = run_test(request, code, module, encoding)
    except SystemExit as error:
        report = ("exit", exit_code(error))
    except BaseException as error:
        report = ("error", type(error).__name__[:100], message_of(error), trace(error, source))
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        if report in (("exit", 0), ("done",)):
            report = ("error", type(error).__name__[:100], message_of(error), trace(error, source))
    return report


def run_test(request: dict[str, Any], code: types.CodeType, module: types.ModuleType, encoding: Any) -> Any:
    """The program, then the call or the assertions."""
    exec(code, module.__dict__)
    if request["kind"] == "call":
        name = request["function"]
        function = module.__dict__.get(name)
        if function is None and "Solution" in module.__dict__:
            function = getattr(module.__dict__["Solution"](), name)
        if function is None:
            raise NameError(f"the program defines no function {name!r}")
        value = function(*request["args"])
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 5_000))
        try:
            return ("value", encoding.encode(value))
        except encoding.EncodingError as error:
            return ("error", "EncodingError", f"returned value: {error}", "")
    if request["kind"] == "assert":
        try:
            exec(compile(request["code"], TEST, "exec", dont_inherit=True), module.__dict__)
        except AssertionError as error:
            return ("error", "AssertionError", message_of(error) or failed_line(error, request["code"]), "")
        return ("done",)
    return ("exit", 0)


def message_of(error: BaseException) -> str:
    try:
        return str(error)[:MOST_MESSAGE]
    except BaseException as second:
        return f"<its message raised {type(second).__name__}>"


def exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return int(error.code) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def lines_in(error: BaseException, file: str) -> list[tuple[int, str]]:
    """Line number and function of every step of a traceback that lies in `file`, outermost first."""
    found, step = [], error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            found.append((step.tb_lineno, step.tb_frame.f_code.co_name))
        step = step.tb_next
    return found


def failed_line(error: BaseException, code: str) -> str:
    lines, steps = code.split("\n"), lines_in(error, TEST)
    number = steps[-1][0] if steps else 0
    return f"failed: {lines[number - 1].strip()[:MOST_MESSAGE] if 0 < number <= len(lines) else ''}"


def trace(error: BaseException, source: str) -> str:
    lines = source.split("\n")
    shown = []
    for number, name in lines_in(error, PROGRAM):
        text = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        shown.append(f"line {number}, in {name}: {text[:200]}")
    if len(shown) > MOST_TRACE_LINES:
        half = MOST_TRACE_LINES // 2
        shown = [*shown[:half], f"… {len(shown) - 2 * half} more …", *shown[-half:]]
    return "\n".join(shown)


if __name__ == "__main__":
    main()
