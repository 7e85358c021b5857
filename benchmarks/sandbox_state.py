"""Searches at random for state that a program of the language for `batch` could leave for its next test.

    python benchmarks/sandbox_state.py [--programs 20000] [--seed 0] [--json]

Programs are generated from the words of the language. They mark and fill whatever they get hold of, also in methods and
callbacks that the library calls, and print what they find. Each runs three tests (the third with the input of the
first) in one process of a zygote, then each test in a process of its own. A difference in what is printed, in the
report or in how the process ends is printed; then the exit code is 1. What depends on addresses is left out: texts of
functions and of objects are only printed, where their addresses are not compared, and sets hold only numbers and texts.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from mars2.sandbox.worker.jail.isolation import Layers
from mars2.sandbox.worker.program.compiling import compiled
from mars2.sandbox.worker.protocol import EXITED_WITH_0, RUN_STDIO, Job
from mars2.sandbox.worker.reuse import words
from mars2.sandbox.worker.supervisor.process import Process
from mars2.sandbox.worker.zygote import zygote

_INPUTS = (b"3 a b\n1 2\n", b"5 cp037 \xc3\xa9\n7\n")
_ORDER = (0, 1, 0)  # of the inputs, in one process
_ADDRESS = re.compile(rb"0x[0-9a-f]{6,}")
_CPU_S, _WALL_S, _MEMORY_MIB, _MOST_PRINTED = 0.3, 3.0, 128, 1 << 20
_ENDLESS = {"count", "cycle", "repeat"}  # they only use up the limits
_BY_ADDRESS = {"ascii", "format", "frozenset", "repr", "set", "str"}  # their results may depend on addresses
_HEAD = """
def mark(x):
    try: print(x.left)
    except ({caught}): print(0)
    try: print(len(x))
    except ({caught}): print(0)
    try: x.left = 2
    except ({caught}): pass
    try: x['left'] = 2
    except ({caught}): pass
    try: x.append(2)
    except ({caught}): pass
    try: x.add(2)
    except ({caught}): pass
    kept.append(x)
    return x
kept = []
given = input().split()
"""
_HEAD = _HEAD.format(caught=", ".join(sorted(words.CAUGHT)))
_TEXTS = ("a", "b c", "(", "[[a]", "a+", r"\1", "cp037", "rot13", "utf-8", "{0}", "left", "x y", "")
_OPERATORS = "+ - * / // % ** @ << >> & | ^ < > <= >= == != is in and or".split()  # noqa: SIM905


class Generator:
    """Makes one program."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.pick = rng.choice
        self.names = ["given", "kept", "mark"]
        self.called: list[str] = []  # what may only be called
        self.classes: list[str] = []
        self.stored = sorted(words._ATTRIBUTES - {"format"} | {"left", "x", "y"})  # attributes
        self.attributes = sorted({*self.stored, *words.READ})
        self.builtins = sorted(words._BUILTINS - words.GUARDED - words.CAUGHT - _BY_ADDRESS - {"exit", "quit"})

    def program(self) -> str:
        lines = [*self.imports(), _HEAD]
        for index in range(self.rng.randrange(1, 4)):
            lines += self.new_class(f"C{index}")
        for index in range(self.rng.randrange(1, 4)):
            lines += self.new_function(f"f{index}")
        for index in range(self.rng.randrange(4, 14)):
            lines += self.guarded(self.statement(f"v{index}"))
        return "\n".join(lines) + "\n"

    def imports(self) -> list[str]:
        lines: list[str] = []
        for module in sorted(words.VALUES):
            if self.rng.random() < 0.5:
                continue
            values, called = words.VALUES[module] - _ENDLESS, words.CALLED.get(module, frozenset())
            if module == "typing":
                lines.append(
                    "from typing import List, Optional\ndef g(a: List[int], b: Optional['C0']) -> List[str]: pass"
                )
            elif self.rng.random() < 0.5:
                lines.append(f"import {module}")
                self.names += [f"{module}.{name}" for name in sorted(values)]
                self.called += [f"{module}.{name}" for name in sorted(called)]
            elif values or called:
                both = sorted((values | called) - words.FORBIDDEN)
                some = self.rng.sample(both, min(4, len(both)))
                lines.append(f"from {module} import {', '.join(some)}")
                self.names += [name for name in some if name in values]
                self.called += [name for name in some if name in called] * 3
        return lines

    def new_class(self, name: str) -> list[str]:
        base = self.pick([*sorted(words.BASES - _BY_ADDRESS), *self.classes, *["object"] * 8])
        lines = [f"class {name}({base}):", "    x = 1", "    def __init__(self, *a): self.y = a"]
        methods = self.rng.sample(sorted(words.DEFINED - {"__init__", "__slots__", "__hash__"}), 4)
        if self.rng.random() < 0.5:
            methods += ["__hash__", "__eq__"]
        for method in methods:
            result = "7" if method == "__hash__" else self.expression(1)
            lines += [f"    def {method}(self, *a):", "        for o in a: mark(o)", f"        return {result}"]
        self.classes.append(name)
        self.names.append(name)
        return lines

    def new_function(self, name: str) -> list[str]:
        word = self.pick(["return", "return", "yield"])
        lines = [f"def {name}(*a, k=[]):", "    for o in a: mark(o)", f"    {word} {self.expression(2)}"]
        if self.called and self.rng.random() < 0.3:
            decorators = [c for c in self.called if c.split(".")[-1] in ("cache", "lru_cache")]
            lines[:0] = [f"@{c}" for c in decorators[:1]]
        self.names.append(name)
        return lines

    def guarded(self, statement: str) -> list[str]:
        return ["try:", f"    {statement}", f"except ({', '.join(sorted(words.CAUGHT))}) as e:", "    print(e, e.args)"]

    def statement(self, name: str) -> str:
        value = self.expression(3)
        kinds: list[Callable[[], str]] = [
            lambda: f"{name} = mark({value})",
            lambda: f"print({value})",
            lambda: f"{self.operand(1)}.{self.pick(self.stored)} = {value}",
            lambda: f"{self.operand(1)}[{self.operand(1)}] = {value}",
            lambda: f"for {name} in {value}: mark({name})",
            lambda: f"del {self.operand(1)}.{self.pick(self.stored)}",
            lambda: f"{self.pick(self.names)}.left = {value}",
            lambda: f"[mark(o) for o in ({value},)]",
        ]
        made = self.pick(kinds)()
        self.names.append(name)
        return made

    def operand(self, depth: int) -> str:
        return f"({self.expression(depth)})"

    def arguments(self, depth: int) -> str:
        return ", ".join(self.expression(depth) for _ in range(self.rng.randrange(4)))

    def expression(self, depth: int) -> str:
        if depth == 0 or self.rng.random() < 0.15:
            return self.leaf()
        deeper = depth - 1
        kinds: list[Callable[[], str]] = [
            lambda: f"{self.pick([*self.names, *self.builtins])}({self.arguments(deeper)})",
            lambda: f"{self.operand(deeper)}.{self.pick(self.attributes)}({self.arguments(deeper)})",
            lambda: f"{self.operand(deeper)}.{self.pick(self.attributes)}",
            lambda: f"{self.operand(deeper)} {self.pick(_OPERATORS)} {self.operand(deeper)}",
            lambda: f"{self.operand(deeper)}[{self.expression(deeper)}]",
            lambda: f"[{self.arguments(deeper)}]",
            lambda: f"{{{self.leaf()}: {self.expression(deeper)}}}",
            lambda: f"(lambda *a: [mark(o) for o in a] and {self.operand(deeper)})",
            lambda: f"f'{{given[{deeper}]}}{{{deeper}:3}}'",
            lambda: f"type({self.expression(deeper)}) == int",
            lambda: f"sorted({self.expression(deeper)}, key={self.expression(deeper)})",
        ]
        if self.called:
            kinds += [lambda: self.call_of_library(self.pick(self.called), deeper)] * 4
        return self.pick(kinds)()

    def call_of_library(self, called: str, depth: int) -> str:
        name = called.split(".")[-1]
        if name == "namedtuple":
            return f"{called}('T', {self.pick(_TEXTS)!r})({self.arguments(depth)})"
        if name == "sub" and self.rng.random() < 0.5:
            return f"{called}({self.text(depth)}, lambda m: mark(m).group(0), {self.text(depth)})"
        most = {**words.MOST_ARGUMENTS["copy"], **words.MOST_ARGUMENTS["re"]}.get(name)
        if name in words.MOST_ARGUMENTS["re"]:
            return f"{called}({', '.join(self.text(depth) for _ in range(most or 1))})"
        return f"{called}({self.expression(depth)})" if most else f"{called}({self.arguments(depth)})"

    def text(self, depth: int) -> str:
        return repr(self.pick(_TEXTS)) if self.rng.random() < 0.8 else self.expression(depth)

    def leaf(self) -> str:
        kinds: list[Callable[[], str]] = [
            lambda: self.pick(self.names),
            lambda: self.pick(self.builtins),
            lambda: repr(self.pick(_TEXTS)),
            lambda: str(self.rng.randrange(-1, 9)),
            lambda: self.pick(["[]", "{}", "()", "b'ab'", "1.5", "{1, 2}", "[1, 2]", "given[0]", "given[1:]", "kept"]),
        ]
        return self.pick(kinds)()


Result = tuple[bytes, bytes, bytes]  # report, stdout, stderr


def _run(connection: socket.socket, pid: int, idle: socket.socket, job: Job, stdin: bytes) -> tuple[list[Result], str]:
    """What the tests of a job left, and the limit that ended them."""
    limits = {"cpu_s": 1.0, "memory_mib": _MEMORY_MIB, "file_bytes": _MOST_PRINTED}
    process = Process(connection, pid, idle, **limits, job=job, stdin=stdin)  # type: ignore[arg-type]
    try:
        ran = process.wait_for_job(len(job.tests), _CPU_S * len(job.tests), _WALL_S, _MOST_PRINTED)
        results = [
            (
                record.report,
                process.stdout()[0] if record.stdout is None else record.stdout,
                process.stderr(_MOST_PRINTED) if record.stderr is None else record.stderr,
            )
            for record in ran.records
        ]
        ended = process.finish()
        return results, ran.limit or ("died" if ended.status else "")
    finally:
        process.close()


def _plain(result: Result) -> Result:
    report, stdout, stderr = (_ADDRESS.sub(b"0x", part) for part in result)
    return report, stdout, stderr


def search(programs: int, seed: int, show: Callable[[str], None]) -> dict[str, Any]:
    """Counts of what was compared; each difference is shown with its program."""
    connection, isolation = zygote.start(Layers())
    _ends, idle = socket.socketpair()
    counts: Counter[str] = Counter()
    index = 0
    while counts["programs"] < programs:
        source = Generator(random.Random(f"{seed}/{index}")).program().encode()
        index += 1
        answer = compiled(source, scan=True)
        if answer[0] != "compiled" or not answer[2]:
            counts["not in the language"] += 1
            continue
        packed = answer[1]
        assert isinstance(packed, bytes)
        long_s = (1e9, 1e9)
        tests = [(RUN_STDIO, b"", _INPUTS[number]) for number in _ORDER]
        tests[0] = (RUN_STDIO, b"", b"")  # its input is in its file already
        together = Job(packed, source, True, False, *long_s, tests, stay=False)
        shared, limit = _run(connection, isolation.pid, idle, together, _INPUTS[0])
        single = Job(packed, source, tests=tests[:1], stay=False)
        alone = [_run(connection, isolation.pid, idle, single, given) for given in _INPUTS]
        counts["programs"] += 1
        if limit or any(limit for _, limit in alone):
            counts["over a limit"] += 1
            continue
        counts["tests in a used process"] += len(shared) - 1
        counts["all tests exited with 0"] += [report for report, _, _ in shared] == [EXITED_WITH_0] * len(_ORDER)
        for result, number in zip(shared, _ORDER, strict=False):
            apart = [_plain(each) for each in alone[number][0]]
            if apart != [_plain(result)]:
                counts["differences"] += 1
                show(f"# seed {seed}/{index - 1}, input {number}\n{source.decode()}\n{result!r}\n{apart!r}\n")
                break
    connection.close()
    return {"differences": 0, **counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.monotonic()
    found = search(options.programs, options.seed, lambda text: print(text, file=sys.stderr))
    found["seconds"] = round(time.monotonic() - start)
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {count}" for name, count in found.items()))
    sys.exit(1 if found["differences"] else 0)


if __name__ == "__main__":
    main()
