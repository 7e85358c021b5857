"""Trees and their problems in the form that the page's viewer reads, only as many as a browser can show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mars2.core.problem import AssertTest, CallTest, Problem, StdioTest, Test
from mars2.core.tree import Node
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.reports.reading import RunReader, StoredTreeLike

MAX_TREES = 200
MAX_BYTES = 7_000_000  # of trees and problems as JSON; the page stays below 10 MB
MAX_TEXT = 12_000  # characters of a program, answer or message; a few hundred lines
MAX_TEST_TEXT = 1_000  # characters of a test's input, output or traceback
MAX_TESTS = 40  # per verdict


def trees_data(
    run: RunReader, *, max_trees: int = MAX_TREES, max_bytes: int = MAX_BYTES
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The newest trees of every phase, and the problems they are about, by id."""
    trees: list[dict[str, Any]] = []
    problems: dict[str, dict[str, Any]] = {}
    size = 0
    for stored in _newest_in_turn(run, max_trees):
        entry = tree_entry(stored)
        size += len(json.dumps(entry))
        problem_id = stored.tree.problem_id
        if problem_id not in problems and (problem := run.problem(problem_id)) is not None:
            problems[problem_id] = problem_entry(problem)
            size += len(json.dumps(problems[problem_id]))
        if size > max_bytes:
            break
        trees.append(entry)
    return trees, problems


def fair_shares(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of each kind to take when there is room for `total`: equal shares; what one kind leaves, others get."""
    shares: dict[str, int] = {}
    for position, kind in enumerate(sorted(counts, key=lambda kind: counts[kind])):
        shares[kind] = min(counts[kind], (total - sum(shares.values())) // (len(counts) - position))
    return shares


def _newest_in_turn(run: RunReader, max_trees: int) -> list[StoredTreeLike]:
    """The newest tree of each phase, then the second newest of each, …: a cut by size is then fair to all phases."""
    by_phase: list[list[StoredTreeLike]] = []
    for phase, share in fair_shares(run.tree_counts(), max_trees).items():
        if share:
            by_phase.append([s for s in reversed(run.trees(phase, limit=share)) if s.phase == phase])
    longest = max(map(len, by_phase), default=0)
    return [trees[i] for i in range(longest) for trees in by_phase if i < len(trees)]


def tree_entry(stored: StoredTreeLike) -> dict[str, Any]:
    tree = stored.tree
    return {
        "id": tree.tree_id,
        "problem": tree.problem_id,
        "phase": stored.phase,
        "step": stored.step,
        "finished": stored.finished,
        "cancelled": tree.num_cancelled,
        "solved": any(node.is_correct for node in tree),
        "nodes": [node_entry(node, stored.annotations.get(node.id, {})) for node in tree],
    }


def node_entry(node: Node, annotations: Mapping[str, float]) -> dict[str, Any]:
    completion = node.completion
    logprobs = completion.logprobs
    return {
        "id": node.id,
        "parent": node.parent_id,
        "agent": node.agent,
        "depth": node.depth,
        "correct": node.is_correct,
        "score": node.score,
        "reward": annotations.get("reward"),
        "credit": {name: value for name, value in annotations.items() if name != "reward"},  # shaped, advantage, …
        "policy": completion.policy,
        "version": completion.policy_version,
        "finish": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens or len(completion.prompt_ids),
        "output_tokens": completion.output_tokens or len(completion.output_ids),
        "mean_logprob": sum(logprobs) / len(logprobs) if logprobs else None,
        "cost": completion.cost,
        "prompt": [[message.role, shorten(message.content, MAX_TEXT)] for message in node.prompt],
        "answer": shorten(completion.text, MAX_TEXT),
        "program": None if node.program is None else shorten(node.program, MAX_TEXT),
        "program_reason": shorten(node.program_reason, MAX_TEST_TEXT),
        "public": verdict_entry(node.public_verdict),
        "hidden": None if node.hidden_verdict is None else verdict_entry(node.hidden_verdict),
    }


def verdict_entry(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": verdict.status,
        "passed": verdict.num_passed,
        "total": len(verdict.tests),
        "tier": verdict.tier,
        "tests": [{"index": i, **_result_entry(verdict.tests[i])} for i in _worth_showing(verdict.tests)],
    }


def _worth_showing(tests: Sequence[TestResult]) -> list[int]:
    """The first tests and, beyond those, the ones that failed."""
    silent = (Status.AC, Status.SKIPPED)
    return [i for i, t in enumerate(tests) if i < MAX_TESTS * 3 // 4 or t.status not in silent][:MAX_TESTS]


def _result_entry(test: TestResult) -> dict[str, Any]:
    error = ": ".join(part for part in (test.error_type, test.error_message) if part)
    entry: dict[str, Any] = {
        "status": test.status,
        "cpu_s": test.cpu_s,
        "wall_s": test.wall_s,
        "peak_mib": test.peak_mib,
        "actual": shorten(test.actual, MAX_TEST_TEXT),
        "error": shorten(error, MAX_TEST_TEXT),
        "traceback": shorten(test.traceback, MAX_TEST_TEXT),
        "stderr": shorten(test.stderr, MAX_TEST_TEXT),
        "exit_code": test.exit_code,
        "signal": test.signal,
        "weak": test.weak,
    }
    return {name: value for name, value in entry.items() if value}


def problem_entry(problem: Problem) -> dict[str, Any]:
    return {
        "statement": shorten(problem.statement, MAX_TEXT),
        "starter_code": shorten(problem.starter_code, MAX_TEXT),
        "public": [test_entry(test) for test in problem.public_tests[: 2 * MAX_TESTS]],
        "hidden": [test_entry(test) for test in problem.hidden_tests[: 2 * MAX_TESTS]],
    }


def test_entry(test: Test) -> dict[str, str]:
    """The input and the expected output, as text."""
    match test:
        case StdioTest():
            shown = {"input": test.input, "expected": test.output}
        case CallTest():
            call = f"{test.function}({', '.join(map(_literal, test.args))})"
            shown = {"input": call, "expected": _literal(test.expected)}
        case AssertTest():
            shown = {"input": test.code, "expected": "no exception"}
    return {name: shorten(text, MAX_TEST_TEXT) for name, text in shown.items()}


def _literal(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return hex(value) if isinstance(value, int) else f"<{type(value).__name__} too long to show>"


def shorten(text: str, limit: int) -> str:
    """Head and tail of a long text, and how much was left out between."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n… {len(text) - head - tail} characters left out …\n{text[-tail:]}"
