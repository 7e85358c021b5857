"""Does the judge agree with the official checkers of LiveCodeBench and EvalPlus? On generated (answer, test) pairs.

    python benchmarks/official_checkers.py --livecodebench FOLDER --evalplus FOLDER [--pairs 3000] [--seed 0] [--json]

The folders are clones of github.com/LiveCodeBench/LiveCodeBench and github.com/evalplus/evalplus. Their functions
`run_test` and `untrusted_check` are called, each time in a process of its own. On this side a row of the benchmark's
format goes through its loader, and a program through the judge. A third of the pairs prints lines, a third returns
values to LiveCodeBench, a third to EvalPlus. Answers are right, wrong and nearly right. Every difference is counted
under the reason that explains it, or printed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import math
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mars2.core.problem import Problem
from mars2.problems.humaneval import HUMANEVAL
from mars2.problems.livecodebench import livecodebench
from mars2.sandbox import ZygoteSandbox

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Pair:
    """An answer to a test of one of the three kinds."""

    kind: str  # "printed", "returned" or "evalplus"
    how: str  # how the answer was made from what is expected
    expected: Any
    answer: Any
    atol: float = 0.0

    @property
    def program(self) -> str:
        if self.kind == "printed":
            return f"import sys\nsys.stdout.write({self.answer!r})\n"
        answer = f"from math import inf, nan\nANSWER = {self.answer!r}\n"
        if self.kind == "returned":
            return f"{answer}class Solution:\n    def f(self, x):\n        return ANSWER\n"
        return f"{answer}def f(x):\n    return ANSWER\n"


def _printed(rng: random.Random) -> Pair:
    expected = rng.choice(_OUTPUTS)(rng)
    how = rng.choice(list(_REWRITINGS))
    return Pair("printed", how, expected, _REWRITINGS[how](expected, rng))


def _words(rng: random.Random) -> str:
    return " ".join(rng.choice(["YES", "No", "abc", "Case", "x1", "-", "#1:"]) for _ in range(rng.randint(1, 4)))


def _number(rng: random.Random) -> str:
    match rng.randrange(9):
        case 0 | 1 | 2:
            return str(rng.randint(-100, 10**6))
        case 3:
            return str(rng.randint(10**15, 10**40))
        case 4 | 5:
            return repr(round(rng.uniform(-1000, 1000), rng.randint(1, 12)))
        case 6:
            return f"{rng.uniform(0, 1):.6f}"
        case 7:
            return rng.choice(["0", "-0.0", "1e9", "2.50", "1000000", "nan", "inf", "-inf", "1e-7"])
        case _:
            return f"{rng.randint(1, 9)}e{rng.randint(1, 400)}"


def _numbers(rng: random.Random) -> str:
    return " ".join(_number(rng) for _ in range(rng.randint(1, 4)))


def _table(rng: random.Random) -> str:
    return "\n".join(rng.choice([_numbers, _numbers, _words])(rng) for _ in range(rng.randint(1, 5)))


_OUTPUTS: Sequence[Callable[[random.Random], str]] = (
    _words,
    _numbers,
    lambda rng: _table(rng) + "\n",
    lambda rng: f"{_words(rng)}\n\n{_numbers(rng)}\n",
    lambda rng: f"Case #{rng.randint(1, 9)}: {_number(rng)}",
    lambda rng: "",
)


def _each(change: Callable[[str], str], text: str, rng: random.Random, share: float = 0.6) -> str:
    """`text` with some of its tokens changed."""
    lines = [[change(t) if rng.random() < share else t for t in line.split(" ")] for line in text.split("\n")]
    return "\n".join(" ".join(line) for line in lines)


def _moved(by: float, token: str) -> str:
    try:
        return repr(float(token) * (1 + by) + by)
    except ValueError:
        return token


def _as_float(token: str) -> str:
    return token + ".0" if token.lstrip("-").isdigit() else token


def _plus_one(token: str) -> str:
    return str(int(token) + 1) if token.lstrip("-").isdigit() else token


def _exponent(token: str) -> str:
    return f"{token}e0" if token.replace(".", "").lstrip("-").isdigit() else token


def _underscored(token: str) -> str:
    return f"{token[:-3]}_{token[-3:]}" if token.isdigit() and len(token) > 3 else token


_REWRITINGS: dict[str, Callable[[str, random.Random], str]] = {
    "same": lambda t, _: t,
    "trailing white space": lambda t, rng: t.replace("\n", " \n") + rng.choice(["", "\n", " \t\n\n"]),
    "leading white space": lambda t, rng: "".join(f" {line}\n" for line in t.split("\n")),
    "double spaces": lambda t, _: t.replace(" ", "  "),
    "tabs": lambda t, _: t.replace(" ", "\t"),
    "carriage returns": lambda t, _: t.replace("\n", "\r\n") + "\r\n",
    "blank line": lambda t, _: t.replace("\n", "\n\n", 1),
    "one line": lambda t, _: t.replace("\n", " "),
    "a token a line": lambda t, _: t.replace(" ", "\n"),
    "case": lambda t, _: t.swapcase(),
    "integers as floats": lambda t, rng: _each(_as_float, t, rng),
    "exponent": lambda t, rng: _each(_exponent, t, rng),
    "plus sign": lambda t, rng: _each(lambda s: f"+{s}" if s[:1].isdigit() else s, t, rng),
    "leading zero": lambda t, rng: _each(lambda s: f"0{s}" if s[:1].isdigit() else s, t, rng),
    "underscores": lambda t, rng: _each(_underscored, t, rng),
    "other digits": lambda t, _: t.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    "off by one": lambda t, rng: _each(_plus_one, t, rng, 0.3),
    "off by 1e-15": lambda t, rng: _each(partial(_moved, 1e-15), t, rng),
    "off by 1e-8": lambda t, rng: _each(partial(_moved, 1e-8), t, rng),
    "off by 1e-4": lambda t, rng: _each(partial(_moved, 1e-4), t, rng),
    "line missing": lambda t, _: t.rpartition("\n")[0],
    "line more": lambda t, _: t.rstrip("\n") + "\n0",
    "lines turned": lambda t, _: "\n".join(reversed(t.split("\n"))),
    "nothing": lambda t, _: "",
    "other": lambda _, rng: _table(rng),
}


def _value(rng: random.Random, depth: int = 0) -> Any:
    match rng.randrange(11 if depth < 2 else 8):
        case 0 | 1:
            return rng.randint(-5, 100)
        case 2:
            return rng.randint(10**14, 10**30)
        case 3:
            return round(rng.uniform(-50, 50), rng.randint(0, 6))
        case 4:
            return rng.uniform(-1, 1)
        case 5:
            return rng.choice([True, False, None])
        case 6:
            return rng.choice(["", "abc", "1", "True", "a b"])
        case 7:
            return rng.choice([0, 1, 1.0, 0.0, -0.0, 3.0])
        case 8:
            return [_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]
        case 9:
            return [round(rng.uniform(0, 9), 3) for _ in range(rng.randint(1, 4))]
        case _:
            return {rng.choice(["a", "b", "1"]): _value(rng, depth + 1) for _ in range(rng.randint(0, 2))}


def _deep(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_deep(change, item) for item in value)
    if isinstance(value, dict):
        return {key: _deep(change, item) for key, item in value.items()}
    return change(value)


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


_CHANGES: dict[str, Callable[[Any], Any]] = {
    "same": lambda v: v,
    "tuple": lambda v: tuple(v) if isinstance(v, list) else v,
    "tuples all the way": _tuples,
    "wrapped": lambda v: [v],
    "unwrapped": lambda v: v[0] if isinstance(v, list) and v else v,
    "floats": lambda v: _deep(lambda x: float(x) if _is(int, x) else x, v),
    "integers": lambda v: _deep(lambda x: int(x) if _is(float, x) and math.isfinite(x) else x, v),
    "off by 1e-15": lambda v: _deep(lambda x: x * (1 + 1e-15) if _is(float, x) else x, v),
    "off by 1e-7": lambda v: _deep(lambda x: x + 1e-7 if _is(float, x) else x, v),
    "off by 5e-6": lambda v: _deep(lambda x: x + 5e-6 if _is(float, x) else x, v),
    "off by 1e-3": lambda v: _deep(lambda x: x + 1e-3 if _is(float, x) else x, v),
    "rounded": lambda v: _deep(lambda x: round(x, 5) if _is(float, x) else x, v),
    "integers off by one": lambda v: _deep(lambda x: x + 1 if _is(int, x) else x, v),
    "huge integers as floats": lambda v: _deep(lambda x: float(x) if _is(int, x) and x > 10**14 else x, v),
    "text": str,
    "numbers for booleans": lambda v: _deep(lambda x: int(x) if isinstance(x, bool) else x, v),
    "booleans for numbers": lambda v: _deep(lambda x: bool(x) if x in (0, 1) and x is not None else x, v),
    "nan": lambda v: _deep(lambda x: math.nan if _is(float, x) else x, v),
    "inf": lambda v: _deep(lambda x: math.inf if _is(float, x) else x, v),
    "none": lambda v: None,
    "shorter": lambda v: v[:-1] if isinstance(v, list | str) else v,
    "longer": lambda v: [*v, 0] if isinstance(v, list) else v,
    "turned": lambda v: v[::-1] if isinstance(v, list) else v,
    "set": lambda v: set(v) if isinstance(v, list) and all(isinstance(x, int | float | str) for x in v) else v,
    "integer keys": lambda v: {int(k) if k.isdigit() else k: x for k, x in v.items()} if isinstance(v, dict) else v,
}


def _returned(rng: random.Random) -> Pair:
    expected, how = _value(rng), rng.choice(list(_CHANGES))
    return Pair("returned", how, expected, _CHANGES[how](expected))


def _evalplus(rng: random.Random) -> Pair:
    expected, how = _value(rng), rng.choice(list(_CHANGES))
    if rng.random() < 0.3:
        expected = [round(rng.uniform(-9, 9), rng.randint(1, 9)) for _ in range(rng.randint(1, 5))]
    answer = _CHANGES[how](expected)
    if rng.random() < 0.2:  # EvalPlus expects whatever the reference returned, tuples too
        expected = _tuples(expected)
    return Pair("evalplus", how, expected, answer, rng.choice([0, 0, 0, 1e-6, 1e-4]))


KINDS: dict[str, Callable[[random.Random], Pair]] = {"printed": _printed, "returned": _returned, "evalplus": _evalplus}


def _problem(pair: Pair) -> Problem:
    """The pair's test, by the loader of its benchmark."""
    if pair.kind == "evalplus":
        row: dict[str, Any] = {
            "task_id": "HumanEval/900",
            "prompt": 'def f(x):\n    """Answer."""\n',
            "canonical_solution": f"    from math import inf, nan\n    return {pair.expected!r}\n",
            "entry_point": "f",
            "test": "",
            "base_input": [[0]],
            "plus_input": [],
            "atol": pair.atol,
        }
        return HUMANEVAL.to_problem(row, "humaneval/900")
    printed = pair.kind == "printed"
    case = {"testtype": "stdin" if printed else "functional", "input": "0"}
    case["output"] = pair.expected if printed else json.dumps(pair.expected)
    row = {
        "question_content": "Answer.",
        "contest_date": "2024-09-01",
        "starter_code": "" if printed else "class Solution:\n    def f(self, x):\n        ",
        "public_test_cases": json.dumps([case]),
        "metadata": "{}" if printed else '{"func_name": "f"}',
    }
    return livecodebench().to_problem(row, "livecodebench/900")


async def judged(pairs: Sequence[Pair]) -> list[bool]:
    """Whether the judge accepts each answer."""
    async with ZygoteSandbox(2) as sandbox:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(pair: Pair) -> bool:
            problem = _problem(pair)
            async with slots:
                verdict = await sandbox.judge(pair.program, problem.suite(problem.public_tests + problem.hidden_tests))
                return verdict.accepted

        return [*await asyncio.gather(*map(one, pairs))]


def _run_official(pair: Pair, answer: Any) -> None:
    """Send down `answer` whether the official checker accepts; it disarms this process for good."""
    if pair.kind == "evalplus":
        checker = importlib.import_module("evalplus.eval")
        status, _ = checker.untrusted_check(
            "humaneval", pair.program, [[0]], "f", [pair.expected], pair.atol, [1.0], fast_check=True
        )
        answer.send(status == "pass")
        return
    checker = importlib.import_module("lcb_runner.evaluation.testing_util")
    printed = pair.kind == "printed"
    outputs = [pair.expected if printed else json.dumps(pair.expected)]
    sample = {"inputs": ["0"], "outputs": outputs} | ({} if printed else {"fn_name": "f"})
    results, _ = checker.run_test({"input_output": json.dumps(sample)}, test=pair.program, timeout=6)
    answer.send(all(result is True for result in results))


def official(pair: Pair) -> bool:
    """Whether the official checker accepts the answer."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_official, args=(pair, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:  # it crashed
        return False
    finally:
        process.join()


def reason(pair: Pair, theirs: bool) -> str:
    """Why the two differ; "" if nothing known explains it."""
    if pair.kind == "printed" and not theirs and _near_text(pair.answer, pair.expected):
        return "a fraction is off by 1e-6 at most"
    if pair.kind == "returned" and not theirs and _near(pair.answer, pair.expected, 1e-5):
        return "a fraction is off by 1e-5 at most"
    return ""


def _near_text(answer: str, expected: str) -> bool:
    lines = zip(answer.strip().split("\n"), expected.strip().split("\n"), strict=True)
    return all(a.strip() == e.strip() or _near(_floats(a), _floats(e), 1e-6) for a, e in lines)


def _floats(line: str) -> list[int | float]:
    return [int(token) if token.lstrip("-").isdigit() else float(token) for token in line.split()]


def _near(answer: Any, expected: Any, tolerance: float) -> bool:
    """Whether all of the two but their fractions is equal, and those are near."""
    if isinstance(answer, tuple):
        answer = [*answer]
    if _is(float, answer) and isinstance(expected, int | float):
        allowed = tolerance * max(1, abs(expected)) if isinstance(expected, float) else 1e-5
        return answer == expected or abs(answer - expected) <= allowed
    if isinstance(expected, list):
        items = zip(answer, expected, strict=True) if isinstance(answer, list) else [(0, 1)]
        return all(_near(a, e, tolerance) for a, e in items)
    if isinstance(expected, dict) and isinstance(answer, dict):
        return answer.keys() == expected.keys() and all(_near(answer[k], expected[k], tolerance) for k in expected)
    return answer == expected


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--livecodebench", type=Path, required=True)
    parser.add_argument("--evalplus", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.path[:0] = [str(options.livecodebench), str(options.evalplus)]
    rng = random.Random(options.seed)
    pairs = [KINDS[[*KINDS][i % len(KINDS)]](rng) for i in range(options.pairs)]
    found = asyncio.run(judged(pairs))
    for name in ("lcb_runner.evaluation.testing_util", "evalplus.eval"):  # once, before the processes are made
        importlib.import_module(name)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    unexplained: list[str] = []
    for pair, ours in zip(pairs, found, strict=True):
        theirs = official(pair)
        count = counts[pair.kind]
        count["pairs"] += 1
        count["officially right"] += theirs
        if theirs != ours:
            why = reason(pair, theirs)
            count[f"differs: {why or 'unexplained'}"] += 1
            if not why:
                unexplained.append(f"{pair.kind}, {pair.how}: official {theirs}: {pair.answer!r} for {pair.expected!r}")
    if options.json:
        print(json.dumps({"counts": counts, "unexplained": unexplained}))
    else:
        for kind, count in counts.items():
            print(f"{kind}: {', '.join(f'{number} {name}' for name, number in count.items())}")
        print("\n".join(unexplained))


if __name__ == "__main__":
    main()
