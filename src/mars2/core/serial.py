"""One lossless JSON form of every core type, so that the store, checkpoints and other processes agree on it.

What plain JSON cannot carry is tagged: ``{"$tuple": […]}``, ``{"$set": […]}``, ``{"$dict": [[key, value], …]}`` (keys
that are not plain strings), ``{"$float": "nan"}``, ``{"$int": "0x…"}`` (beyond 2^53), ``{"$text": hex}`` (lone
surrogates, as models can emit). Token ids and log-probabilities are base64 of little-endian numbers: far
quicker than decimals, and every bit is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, cast

import numpy as np

from mars2.core.completion import Completion, Message
from mars2.core.problem import (
    AssertTest,
    CallTest,
    Checker,
    Limits,
    NamedComparison,
    Problem,
    StdioTest,
    Test,
)
from mars2.core.sample import TrainingSample
from mars2.core.tree import Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict

_LARGEST_PLAIN_INT = 2**53  # beyond it, readers that keep numbers as doubles would round


def value_to_json(value: Any) -> Any:
    """A JSON-safe form of None, bool, int, float, str, list, tuple, set, frozenset, dict and numpy scalars.

    Raises:
        TypeError: any other type; the message names it.
    """
    match value:
        case None | bool():
            return value
        case str():
            return _text_to_json(value)
        case int():
            return int(value) if abs(value) < _LARGEST_PLAIN_INT else {"$int": hex(value)}
        case float():
            return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
        case np.generic():
            return value_to_json(value.item())
        case list():
            return [value_to_json(item) for item in cast("list[Any]", value)]
        case tuple():
            return {"$tuple": [value_to_json(item) for item in cast("tuple[Any, ...]", value)]}
        case set() | frozenset():
            items = [value_to_json(item) for item in cast("set[Any]", value)]
            return {"$set" if isinstance(value, set) else "$frozenset": sorted(items, key=json.dumps)}
        case dict():
            return _dict_to_json(cast("dict[Any, Any]", value))
        case _:
            raise TypeError(f"cannot store a value of type {type(value).__name__}; use numbers, text and containers")


def value_from_json(data: Any) -> Any:
    """The value that `value_to_json` was given."""
    if isinstance(data, list):
        return [value_from_json(item) for item in cast("list[Any]", data)]
    if not isinstance(data, dict):
        return data
    tagged = cast("dict[str, Any]", data)
    tag = next(iter(tagged)) if len(tagged) == 1 else ""
    content: Any = tagged.get(tag)
    match tag:
        case "$text":
            return _text_from_json(tagged)
        case "$int":
            return int(content, 16)
        case "$float":
            return float(content)
        case "$tuple":
            return tuple(value_from_json(item) for item in content)
        case "$set":
            return {value_from_json(item) for item in content}
        case "$frozenset":
            return frozenset(value_from_json(item) for item in content)
        case "$dict":
            return {value_from_json(key): value_from_json(item) for key, item in content}
        case _:
            return {key: value_from_json(item) for key, item in tagged.items()}


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """Fields of a test that hold their default are left out: most tests pass and say nothing."""
    tests = [
        {
            name: value_to_json(value)
            for name, default in _TEST_RESULT_DEFAULTS.items()
            if (value := getattr(test, name)) != default
        }
        for test in verdict.tests
    ]
    return {"status": verdict.status.value, "tests": tests, "tier": verdict.tier, "mode": verdict.mode}


def verdict_from_dict(data: dict[str, Any]) -> Verdict:
    tests: list[TestResult] = []
    for entry in data["tests"]:
        values = {name: value_from_json(value) for name, value in entry.items()}
        values["status"] = Status(values["status"])
        tests.append(TestResult(**values))
    return Verdict(Status(data["status"]), tuple(tests), data["tier"], data["mode"])


def completion_to_dict(completion: Completion) -> dict[str, Any]:
    return _to_dict(completion)


def completion_from_dict(data: dict[str, Any]) -> Completion:
    return Completion(**_fields_from_dict(Completion, data))


def result_to_dict(result: Result) -> dict[str, Any]:
    """Of a `Result` or a `Node`."""
    return _to_dict(result)


def result_from_dict(data: dict[str, Any]) -> Result:
    return Result(**_fields_from_dict(Result, data))


def node_from_dict(data: dict[str, Any]) -> Node:
    return Node(**_fields_from_dict(Node, data))


def sample_to_dict(sample: TrainingSample) -> dict[str, Any]:
    return _to_dict(sample)


def sample_from_dict(data: dict[str, Any]) -> TrainingSample:
    return TrainingSample(**_fields_from_dict(TrainingSample, data))


def problem_to_dict(problem: Problem) -> dict[str, Any]:
    return _to_dict(problem)


def problem_from_dict(data: dict[str, Any]) -> Problem:
    values = _fields_from_dict(Problem, data)
    rule: NamedComparison | dict[str, str] = values["comparison"]
    if isinstance(rule, dict):
        values["comparison"] = Checker(rule["checker"], values["id"])
    return Problem(**values)


def _to_dict(record: Any) -> dict[str, Any]:
    """Every field under its name."""
    return {f.name: _WRITE.get(f.name, value_to_json)(getattr(record, f.name)) for f in fields(record)}


def _fields_from_dict(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """What older files lack has its default; what they say besides (a node's reward) is left out."""
    return {f.name: _READ.get(f.name, value_from_json)(data[f.name]) for f in fields(kind) if f.name in data}


def _or_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def tree_hash(trees: Iterable[Tree]) -> str:
    """SHA-256 over what the trees say, sorted by tree id, whatever order they are given in.

    Covers tree and problem ids, and per node: parent, agent, output ids and text, program, statuses, score. Not the
    reward, which is a function of these (`mars2.credit`).
    Leaves out timings, memory, messages and everything else that differs between two runs of the same computation.
    """
    digests: list[tuple[str, str]] = []  # so that trees may come one at a time from a run that memory cannot hold
    for tree in trees:
        digest = hashlib.sha256(b"mars2 tree 2\n")
        digest.update(json.dumps([_text_to_json(tree.tree_id), _text_to_json(tree.problem_id)]).encode())
        for node in tree:
            digest.update(b"\n" + json.dumps(_hashed_content(node)).encode())
        digests.append((tree.tree_id, digest.hexdigest()))
    return hashlib.sha256("\n".join(digest for _, digest in sorted(digests)).encode()).hexdigest()


def _hashed_content(node: Node) -> list[Any]:
    return [
        node.id,
        node.parent_id,
        node.agent,
        list(node.completion.output_ids),
        _text_to_json(node.completion.text),
        None if node.program is None else _text_to_json(node.program),
        [[v.status, *(t.status for t in v.tests)] if v else None for v in (node.public_verdict, node.hidden_verdict)],
        repr(float(node.score)),
    ]


def _pack(values: Sequence[float], wide: str, narrow: str) -> str:
    """Numbers as ``dtype:base64``, in the narrow type if that changes none of them."""
    array = np.asarray(values, dtype=f"<{wide}")
    with np.errstate(over="ignore"):
        narrowed = array.astype(f"<{narrow}")
    kind, array = (narrow, narrowed) if np.array_equal(narrowed, array, equal_nan=True) else (wide, array)
    return f"{kind}:{base64.b64encode(array.tobytes()).decode('ascii')}"


def _unpack(packed: str) -> tuple[Any, ...]:
    kind, _, content = packed.partition(":")
    return tuple(np.frombuffer(base64.b64decode(content), dtype=f"<{kind}").tolist())


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _text_to_json(text: str) -> str | dict[str, str]:
    return str(text) if _is_encodable(text) else {"$text": text.encode("utf-8", "surrogatepass").hex()}


def _text_from_json(data: str | dict[str, str]) -> str:
    return data if isinstance(data, str) else bytes.fromhex(data["$text"]).decode("utf-8", "surrogatepass")


def _dict_to_json(value: dict[Any, Any]) -> dict[str, Any]:
    if all(isinstance(key, str) and not key.startswith("$") and _is_encodable(key) for key in value):
        return {str(key): value_to_json(item) for key, item in value.items()}
    return {"$dict": [[value_to_json(key), value_to_json(item)] for key, item in value.items()]}


def _test_to_dict(test: Test) -> dict[str, Any]:
    kind = _TEST_KINDS[type(test)]
    return {"kind": kind} | {f.name: value_to_json(getattr(test, f.name)) for f in fields(test)}


def _test_from_dict(data: dict[str, Any]) -> Test:
    values = {name: value_from_json(value) for name, value in data.items() if name != "kind"}
    return _TEST_CLASSES[data["kind"]](**values)


_TEST_KINDS: dict[type[Test], str] = {StdioTest: "stdio", CallTest: "call", AssertTest: "assert"}
_TEST_CLASSES = {kind: test_class for test_class, kind in _TEST_KINDS.items()}
_TEST_RESULT_DEFAULTS = {f.name: f.default for f in fields(TestResult)}


def _write_ids(ids: Sequence[int]) -> str:
    return _pack(ids, "i8", "i4")


def _write_logprobs(logprobs: Sequence[float]) -> str:
    return _pack(logprobs, "f8", "f4")


def _write_tests(tests: Sequence[Test]) -> list[dict[str, Any]]:
    return [_test_to_dict(test) for test in tests]


def _read_tests(data: Sequence[dict[str, Any]]) -> tuple[Test, ...]:
    return tuple(_test_from_dict(test) for test in data)


_WRITE: dict[str, Callable[[Any], Any]] = {  # fields, of any record, that are no plain values
    "prompt": lambda prompt: [[message.role, _text_to_json(message.content)] for message in prompt],
    "completion": completion_to_dict,
    "public_verdict": verdict_to_dict,
    "hidden_verdict": _or_none(verdict_to_dict),
    "prompt_ids": _write_ids,
    "output_ids": _write_ids,
    "logprobs": _write_logprobs,
    "rollout_logprobs": _write_logprobs,
    "public_tests": _write_tests,
    "hidden_tests": _write_tests,
    "limits": _to_dict,
    "comparison": lambda rule: {"checker": _text_to_json(rule.source)} if isinstance(rule, Checker) else rule,
}
_READ: dict[str, Callable[[Any], Any]] = {
    "prompt": lambda prompt: tuple(Message(role, _text_from_json(content)) for role, content in prompt),
    "completion": completion_from_dict,
    "public_verdict": verdict_from_dict,
    "hidden_verdict": _or_none(verdict_from_dict),
    "prompt_ids": _unpack,
    "output_ids": _unpack,
    "logprobs": _unpack,
    "rollout_logprobs": _unpack,
    "public_tests": _read_tests,
    "hidden_tests": _read_tests,
    "limits": lambda limits: Limits(**_fields_from_dict(Limits, limits)),
}
