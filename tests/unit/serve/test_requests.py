"""What clients of every kind send is answered as they mean it, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mars2.core.errors import ConfigError
from mars2.core.problem import CallTest, Limits, Problem, StdioTest
from mars2.serve.app import Server
from mars2.serve.conversation import is_follow_up
from mars2.serve.requests import RequestError, parse_request, problem_of

SUM = "Read two numbers, print their sum.\nInput: 1 2\nOutput: 3"
TEST = (StdioTest("1 2\n", "3\n"),)
TWO_SUM = """class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:

Example 1:
Input: nums = [2,7], target = 9
Output: [0,1]"""
CALL = {"id": "1", "type": "function", "function": {"name": "x", "arguments": "{}"}}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str | None = "```python\nprint(3)\n```", **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text} | fields


def problem(*messages: dict[str, Any], most: Limits | None = None, **fields: Any) -> Problem:
    body = {"model": "mars2", "messages": list(messages)} | fields
    return problem_of(parse_request(json.dumps(body).encode()), "x", most)


@pytest.mark.parametrize(
    "messages",
    [
        [user(SUM), {"role": "developer", "content": "Be terse."}],
        [user(SUM), {"role": "system", "content": "Be terse."}],
        [{"role": "system", "content": "Be terse."}, user(SUM), {"role": "system", "content": "Be terse."}],
        [user("Hello"), answer("Hi."), user(SUM), {"role": "developer", "content": [{"type": "text", "text": "Be"}]}],
        [user(SUM), answer("```python\n")],
        [user(SUM), answer("```python\n", prefix=True)],
        [user(SUM), {"role": "system", "content": "Be terse."}, answer("Here is")],
        [
            user("Look."),
            answer(None, tool_calls=[CALL]),
            {"role": "tool", "tool_call_id": "1", "content": "ok"},
            user(SUM),
        ],
        [user(SUM), answer(None, tool_calls=[CALL]), {"role": "tool", "tool_call_id": "1", "content": "ok"}],
        [user(SUM), answer("", function_call={}), {"role": "function", "name": "x", "content": None}],
        [user([{"type": "input_text", "text": SUM}])],
        [user([SUM])],
        [answer([{"type": "refusal", "refusal": "no"}]), user(SUM)],  # type: ignore[arg-type]
    ],
)
def test_the_users_last_message_is_the_problem_whatever_stands_around_it(messages: list[dict[str, Any]]) -> None:
    found = problem(*messages)
    assert found.public_tests == TEST
    assert found.statement.endswith(SUM)
    assert "```python" not in found.statement
    for message in messages:
        if isinstance(message["content"], str) and message["role"] in ("system", "developer", "tool"):
            assert message["content"] in found.statement


@pytest.mark.parametrize(
    "messages",
    [
        [user("Make it faster.")],
        [user("Too slow, use O(n) memory"), answer(), user("Still wrong: IndexError on an empty list")],
        [user("Thanks!"), {"role": "system", "content": "Be terse."}, user("Now add comments and a docstring.")],
    ],
)
def test_a_follow_up_keeps_the_task(messages: list[dict[str, Any]]) -> None:
    found = problem(user(TWO_SUM), answer("```python\nclass Solution: ...\n```"), *messages)
    assert found.entry_point == "Solution.twoSum"
    assert [(test.args, test.expected) for test in found.public_tests if isinstance(test, CallTest)] == [
        (([2, 7], 9), [0, 1])
    ]
    assert found.statement.startswith(TWO_SUM)
    assert found.statement.endswith(messages[-1]["content"])


def test_the_task_is_the_newest_one() -> None:
    found = problem(user(TWO_SUM), answer(), user(SUM), answer(), user("Make it shorter."))
    assert (found.entry_point, found.public_tests) == (None, TEST)
    new = problem(user(TWO_SUM), answer(), user("Now write a program that prints n squared."))
    assert (new.entry_point, new.public_tests) == (None, ())


@pytest.mark.parametrize(
    "text",
    [
        "Make it faster.",
        "Can you optimize this?",
        "Too slow",
        "It gets TLE on the last test.",
        "Please add comments",
        "Try again",
        "That is wrong",
        "It prints the wrong answer for 1 1",
        "Your code fails on an empty list, fix it",
        "no recursion please",
        "use a hash map instead",
        "Can you do it without sorting?",
        "Shorter!",
        "Why?",
        "Are you sure?",
        "I get IndexError: out of range",
        "It returns None for negative numbers, which is wrong.",
        "Find the bug",
        "Now make it faster",
        "Use a heap",
    ],
)
def test_what_asks_for_the_same_once_more_is_a_follow_up(text: str) -> None:
    assert is_follow_up(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write a function that reverses a string.",
        "Next: read n and print n squared.",
        "Second problem: sum of digits of n",
        "What about the product?",
        "Do the same for three numbers",
        "Now print the product instead of the sum.",
        "Given an array of integers, return the maximum.",
        "Print n doubled.",
        "It should return a list",
        "Also print the product",
        "Is n even?",
        "FizzBuzz",
        "Merge two sorted lists",
        "Compute the factorial of n as fast as possible.",
        "Create a faster script that sorts words",
        "def g(x):\n    return x",
        "Input: 1\nOutput: 2",
    ],
)
def test_what_may_be_another_task_is_none(text: str) -> None:
    assert not is_follow_up(text)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_minus_one_token_means_no_limit(field: str) -> None:
    request = parse_request(json.dumps({"model": "m", "messages": [user("x")], field: -1}).encode())
    assert getattr(request, field) is None
    for wrong in (0, -2, "-1"):
        with pytest.raises(RequestError, match=f"{field}: "):
            parse_request(json.dumps({"model": "m", "messages": [user("x")], field: wrong}).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}),
        ("response_format", "json"),
        ("format", "json"),
        ("guided_json", {"type": "object"}),
        ("guided_regex", "a+"),
        ("structured_outputs", {"choice": ["a"]}),
        ("grammar", "root ::= 'a'"),
        ("tools", [{"type": "function"}]),
        ("tool_choice", "required"),
        ("tool_choice", {"type": "function", "function": {"name": "x"}}),
        ("functions", [{"name": "x"}]),
        ("function_call", {"name": "x"}),
        ("n", 2),
        ("n", 0),
        ("best_of", 3),
        ("logprobs", True),
        ("logprobs", 5),
        ("top_logprobs", 2),
        ("logit_bias", {"50256": -100}),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("stop", ["\n"]),
        ("web_search_options", {"search_context_size": "low"}),
        ("continue_final_message", True),
    ],
)
def test_what_cannot_be_given_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(RequestError, match=f"^{field}: ") as caught:
        problem(user(SUM), **{field: value})
    assert (caught.value.status, caught.value.field) == (400, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", {"type": "text"}),
        ("response_format", None),
        ("tools", []),
        ("tool_choice", "none"),
        ("tool_choice", "auto"),
        ("n", 1),
        ("logprobs", False),
        ("top_logprobs", 0),
        ("logit_bias", {}),
        ("modalities", ["text"]),
        ("stop", None),
        ("parallel_tool_calls", True),
        ("frequency_penalty", 0.5),
        ("user", "me"),
    ],
)
def test_what_asks_for_nothing_is_taken(field: str, value: Any) -> None:
    assert problem(user(SUM), **{field: value}).public_tests == TEST


@pytest.mark.parametrize("kind", ["image_url", "input_image", "input_audio", "file", "video_url"])
def test_a_part_that_is_no_text_is_refused_by_its_kind(kind: str) -> None:
    with pytest.raises(RequestError, match=kind) as caught:
        problem(user([{"type": "text", "text": SUM}, {"type": kind, kind: {}}]))
    assert caught.value.field == "messages[0].content"


HIGH = {"cpu_s": 7, "wall_s": 14, "memory_mib": 513, "stdout_kib": 16_385, "stderr_kib": 65, "source_kib": 257}


@pytest.mark.parametrize(("name", "value"), HIGH.items())
def test_no_limit_of_a_request_is_higher_than_the_servers(name: str, value: int) -> None:
    with pytest.raises(RequestError, match=rf"mars2\.limits\.{name}: must be <= .* here, got {value}") as caught:
        problem(user(SUM), mars2={"limits": {"cpu_s": 1, name: value}})
    assert caught.value.field == f"mars2.limits.{name}"
    assert getattr(problem(user(SUM), mars2={"limits": {name: 1}}).limits, name) == 1


def test_what_a_request_does_not_limit_the_server_does() -> None:
    most = Limits(cpu_s=20, wall_s=25, memory_mib=1024)
    assert problem(user(SUM), most=most).limits == most
    found = problem(user(SUM), most=most, mars2={"limits": {"cpu_s": 15, "wall_s": None}})
    assert found.limits == Limits(cpu_s=15, wall_s=25, memory_mib=1024)
    assert problem(user(SUM)).limits == Limits()


def client_of(**options: Any) -> httpx.AsyncClient:
    server = Server(None, None, max_nodes=1, **options)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=httpx.ASGITransport(server.app()), base_url="http://127.0.0.1")


SITE = "https://app.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
}


@pytest.mark.parametrize("key", [None, "sk"])
async def test_pages_of_an_allowed_origin_may_ask_and_read(key: str | None) -> None:
    headers = {"Origin": SITE} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with client_of(origins=[f"{SITE.upper()}:443/"], api_key=key) as client:
        before = await client.options("/v1/chat/completions", headers={"Origin": SITE} | PREFLIGHT)
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == SITE
        assert "x-stainless-lang" in before.headers["access-control-allow-headers"]
        for answer in (
            await client.get("/v1/models", headers=headers),
            await client.post("/v1/chat/completions", headers=headers, content=b"{"),
        ):
            assert answer.status_code in (200, 400)
            assert answer.headers["access-control-allow-origin"] == SITE


@pytest.mark.parametrize("origins", [(), ("https://other.example",)])
@pytest.mark.parametrize("origin", [SITE, "https://app.example.evil.example", "http://app.example", "null"])
async def test_pages_of_other_origins_may_not(origins: tuple[str, ...], origin: str) -> None:
    async with client_of(origins=origins) as client:
        before = await client.options("/v1/chat/completions", headers={"Origin": origin} | PREFLIGHT)
        answer = await client.post("/v1/chat/completions", headers={"Origin": origin}, content=b"{")
    assert before.status_code in (400, 405)
    assert answer.status_code == 403
    for found in (before, answer):
        assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize(
    "origin", ["app.example", "https://", "https://a/path", "https://u@a", "null", "*", "https://*.a"]
)
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match="--allow-origin: "):
        Server(None, None, max_nodes=1, origins=[origin])  # type: ignore[arg-type]
    if origin == "*":
        assert Server(None, None, max_nodes=1, origins=["*"], api_key="sk").origins == {"*"}  # type: ignore[arg-type]
