"""Judges programs: one against a problem, or a file of tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any

from mars2.build.sandbox import Mode, local_sandbox
from mars2.core.completion import Reading
from mars2.core.errors import CheckerError, UserError
from mars2.core.problem import Problem, Suite
from mars2.core.protocols import Sandbox
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.jobs.running import blocking, job
from mars2.problems import load_problem
from mars2.problems.tasks import Task, parse_task
from mars2.prompting.chat import read_answer_to
from mars2.prompting.completing import complete_program


@job
async def judge_async(
    program: str | Path | None,
    problem: Problem | Suite | str | Path,
    *,
    every_test: bool = False,
    mode: Mode = "batch",
    allow_unsafe: bool = False,
    sandbox: Sandbox | None = None,
) -> Verdict:
    """Run a program against tests, isolated from this machine.

    Args:
        program: its source text, or the path of a file; None, as where a model wrote no program, is CE. Code that the
            problem's benchmark runs in front is added.
        problem: whose public and hidden tests are run (a problem, a file or a reference), or a suite of tests.
        every_test: do not stop at the first failing test.
        mode: ``hermetic`` takes a fresh process for each test.
        allow_unsafe: judge even where only weak isolation can be had.
        sandbox: judge there, instead of starting a sandbox for this call; `mode` and `allow_unsafe` are its own.

    Raises:
        UserError: the program cannot be read, or there is no test.
        ProblemError: there is no such problem.
        SandboxUnavailable: programs cannot be judged safely on this machine.
    """
    if isinstance(program, Path):
        program = await asyncio.to_thread(read_program, program)
    name = "the suite"
    if not isinstance(problem, (Problem, Suite)):
        problem = await asyncio.to_thread(load_problem, str(problem))
    if isinstance(problem, Problem):
        if program is not None:
            implied = str(problem.metadata.get("implied_imports", ""))
            program = complete_program(program, problem.starter_code, implied)
        name, problem = f"problem {problem.id}", problem.suite((*problem.public_tests, *problem.hidden_tests))
    if not problem.tests:
        raise UserError(f"judge: {name} has no tests, so that every program would pass; give it one at least")
    if sandbox is not None:
        return await sandbox.judge(program, problem, stop_at_first_failure=not every_test)
    async with local_sandbox(1, mode=mode, allow_unsafe=allow_unsafe) as own:
        return await own.judge(program, problem, stop_at_first_failure=not every_test)


judge = blocking(judge_async)


def read_answer(answer: str | Path, problem: Problem | str | Path) -> Reading:
    """The program in a model's answer to a problem, and why it was taken; `judge` takes the program.

    Args:
        answer: the whole answer, or the path of a file with it.
        problem: a problem, a file or a reference.

    Raises:
        UserError: the answer cannot be read.
        ProblemError: there is no such problem.
    """
    task = problem if isinstance(problem, Problem) else load_problem(str(problem))
    return read_answer_to(task, read_program(answer) if isinstance(answer, Path) else answer)


def read_program(path: Path) -> str:
    """
    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError:
        raise UserError(f"judge: {path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"judge: {path}: {error.strerror}; give a readable file") from None


async def judge_tasks(
    lines: Iterable[str], sandbox: Sandbox, *, at_once: int, stop_at_first_failure: bool = True
) -> AsyncGenerator[dict[str, Any], None]:
    """One answer per task, in the order of the lines; at most `at_once` are under way. Blank lines are passed over.

    Every line is checked before the first program runs. A task whose checker fails is answered with IE, the others are
    judged all the same.

    Raises:
        UserError: a line is not a task, or, after the last answer, a checker failed.
        SandboxUnavailable: the sandbox cannot judge.
    """
    tasks = [parse_task(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    slots = asyncio.Semaphore(at_once)

    async def judge(task: Task) -> Verdict:
        async with slots:
            return await sandbox.judge(task.program, task.suite(), stop_at_first_failure=stop_at_first_failure)

    under_way = [asyncio.create_task(judge(task)) for task in tasks]
    try:
        failed: list[CheckerError] = []
        for task, verdict in zip(tasks, under_way, strict=True):
            try:
                found = verdict_entry(task.id, await verdict)
            except CheckerError as error:
                failed.append(error)
                found = {
                    "id": task.id,
                    "verdict": Status.IE.value,
                    "tests": [],
                    "tier": "",
                    "mode": "",
                    "error": str(error),
                }
            yield found
        if failed:
            raise UserError(
                f"{len(failed)} tasks were not judged, for their checker or test failed; first: {failed[0]}"
            )
    finally:
        for verdict in under_way:
            verdict.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def verdict_entry(task_id: str | int, verdict: Verdict) -> dict[str, Any]:
    """A verdict as one JSON object."""
    return {
        "id": task_id,
        "verdict": verdict.status.value,
        "tests": [_test_answer(result) for result in verdict.tests],
        "tier": verdict.tier,
        "mode": verdict.mode,
    }


def _test_answer(result: TestResult) -> dict[str, Any]:
    """A test's part of the answer; `weak` is only there where it is so."""
    return {
        "verdict": result.status.value,
        "cpu_s": round(result.cpu_s, 6),
        "wall_s": round(result.wall_s, 6),
        "peak_mib": result.peak_mib,
        "detail": detail(result),
        **({"weak": True} if result.weak else {}),
    }


def detail(result: TestResult) -> str:
    """What went wrong and whether the result is weak, in a few lines; "" for most AC and for SKIPPED."""
    parts = [f"{result.error_type}: {result.error_message}" if result.error_type else "", result.traceback]
    if result.status.value == "WA":
        parts.append(f"printed or returned: {json.dumps(result.actual)}")
    if result.weak:
        parts.append("(weak: tester and candidate shared a process)")
    return "\n".join(part for part in parts if part)
