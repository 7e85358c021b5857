"""The HTTP backend against a real server on loopback: retries, limits, separated reasoning, errors in one line."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mars2.backends.openai_http import OpenAIBackend
from mars2.backends.vllm_server import VllmServerBackend
from mars2.config.policies import OpenAIPolicyConfig, VllmServerPolicyConfig
from mars2.core.completion import Message, Sampling
from mars2.core.errors import BackendError, ConfigError
from openai_server import Script, answer, openai_server

PROMPT = (Message("system", "be brief"), Message("user", "write f"))
BUSY = {"error": {"message": "slow down"}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setenv("MARS2_TEST_KEY", "sk-very-secret")
    with openai_server() as script:
        yield script


def backend_on(server: Script, **options: object) -> OpenAIBackend:
    return OpenAIBackend(
        "p",
        OpenAIPolicyConfig(model="m", base_url=server.url, api_key_env="MARS2_TEST_KEY", **options),  # type: ignore[arg-type]
    )


async def test_a_request_carries_messages_sampling_and_key(server: Script) -> None:
    backend = backend_on(server, extra_body={"reasoning_effort": "low"})
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=5, max_tokens=9, seed=2**40 + 1)
    completion = await backend.generate(PROMPT, sampling)
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "write f"}],
            "stream": False,
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": 1,
            "max_tokens": 9,
            "top_k": 5,
            "reasoning_effort": "low",
        }
    ]
    assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert (completion.prompt_tokens, completion.output_tokens) == (7, 9)
    assert (completion.text, completion.finish_reason) == ("def f(x):", "length")
    await backend.close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (500, "Error rendering prompt: System role not supported"),
        (422, "Template error: Only user and assistant roles are supported!"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
    ],
)
async def test_a_model_that_takes_no_system_message_gets_its_text_from_the_user(
    server: Script, status: int, message: str
) -> None:
    server.replies.append((status, {}, {"error": {"message": message}}))
    backend = backend_on(server, max_retries=0)
    for _ in range(2):
        await backend.generate(PROMPT, Sampling())
    asked = [[m["role"] for m in request["messages"]] for request in server.requests]
    assert asked == [["system", "user"], ["user"], ["user"]]
    assert server.requests[1]["messages"][0]["content"] == "be brief\n\nwrite f"
    await backend.close()


async def test_fields_that_a_model_refuses_are_left_out(server: Script) -> None:
    backend = backend_on(server, omit=("temperature", "seed"))
    await backend.generate(PROMPT, Sampling(seed=1))
    assert {"temperature", "seed"} & server.requests[0].keys() == set()
    await backend.close()


async def test_it_waits_as_long_as_a_busy_server_asks(server: Script) -> None:
    server.replies += [(429, {"Retry-After": "1"}, BUSY), (503, {"Retry-After-Ms": "10"}, BUSY)]
    backend = backend_on(server)
    started = asyncio.get_running_loop().time()
    assert (await backend.generate(PROMPT, Sampling(seed=0))).text == "abc"
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert backend.num_retries == 2
    await backend.close()


async def test_the_number_of_retries_is_bounded(server: Script) -> None:
    server.replies += [(500, {"Retry-After-Ms": "1"}, BUSY)] * 9
    backend = backend_on(server, max_retries=2)
    with pytest.raises(BackendError, match=r"answered 500: .*slow down"):
        await backend.generate(PROMPT, Sampling())
    assert len(server.requests) == 3
    await backend.close()


async def test_no_more_requests_at_once_than_allowed(server: Script) -> None:
    server.replies += [threading.Barrier(3)] * 12  # none is answered before three are there
    backend = backend_on(server, concurrency=3)
    await asyncio.gather(*(backend.generate(PROMPT, Sampling(seed=i)) for i in range(12)))
    assert server.most_at_once == 3
    await backend.close()


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_separated_reasoning_is_no_part_of_the_answer(server: Script, field: str) -> None:
    server.replies.append((200, {}, answer({"model": "m", "seed": 0}, **{field: "```python\nwrong()\n```"})))
    backend = backend_on(server)
    assert (await backend.generate(PROMPT, Sampling())).text == "abc"
    await backend.close()


async def test_an_answer_of_reasoning_alone_is_empty(server: Script) -> None:
    server.replies.append((200, {}, answer({"model": "m"}, content=None, reasoning_content="hm")))
    backend = backend_on(server)
    assert (await backend.generate(PROMPT, Sampling())).text == ""
    await backend.close()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((401, {}, BUSY), "refused the key in MARS2_TEST_KEY"),
        ((403, {}, BUSY), r"refused the key in MARS2_TEST_KEY \(403: slow down\)"),
        ((402, {}, BUSY), "wants to be paid first"),
        ((404, {}, BUSY), "check base_url"),
    ],
)
async def test_what_asking_again_cannot_mend_is_the_users_to_mend(server: Script, reply: object, message: str) -> None:
    server.replies.append(reply)
    backend = backend_on(server)
    with pytest.raises(ConfigError, match=message) as caught:
        await backend.generate(PROMPT, Sampling())
    assert "sk-very-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1
    await backend.close()


async def test_a_quota_that_is_used_up_is_the_users_to_mend(server: Script) -> None:
    spent = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    server.replies += [(429, {"Retry-After-Ms": "1"}, spent)] * 2
    backend = backend_on(server, max_retries=1)
    with pytest.raises(ConfigError, match=r"wants to be paid first \(429: You exceeded your quota\)"):
        await backend.generate(PROMPT, Sampling())
    await backend.close()


@pytest.mark.parametrize(
    "reply",
    [
        (400, {}, {"error": {"message": "context too long\nsk"}}),
        (200, {}, b"<html>not json</html>"),
        (200, {}, b'{"choices": '),
        (200, {}, {"choices": []}),
        (200, {}, {"hello": 1}),
        (200, {}, [1, 2]),
        (200, {}, {"choices": [{"index": 0}]}),
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {}, b"[" * 100_000),
        (200, {}, {"choices": {"a": 1}}),
        (200, {}, {"choices": "abc"}),
        (200, {}, {"choices": [1, 2]}),
        (200, {}, {"choices": [{"index": 0, "message": "hello"}]}),
        (200, {}, answer({"model": "m"}, content=5)),
        (200, {}, answer({"model": "m"}, content={"text": "x"})),
        (200, {}, answer({"model": "m"}, content=[1, 2])),
        (200, {}, answer({"model": "m"}, content=[{"type": "text", "text": 5}])),
    ],
)
async def test_an_answer_that_is_none_is_a_backend_error(server: Script, reply: object) -> None:
    server.replies.append(reply)
    backend = backend_on(server, max_retries=0)
    with pytest.raises(BackendError, match="policy 'p'") as caught:
        await backend.generate(PROMPT, Sampling())
    assert "\n" not in str(caught.value)
    await backend.close()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {}, {"error": {"message": "upstream overloaded", "code": 503}}), "upstream overloaded"),
        ((200, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>"), "HTML page.*: Bad Gateway"),
        (
            (200, {"Content-Type": "text/event-stream"}, b'data: {"choices": []}\n\n'),
            r'a stream that breaks off: data: {"choices": \[\]}',
        ),
        ((502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>"), "answered 502: Bad Gateway"),
        ((500, {}, b""), r"answered 500: \(nothing\)"),
        ((200, {}, answer({"model": "m"}, content=None, refusal="I will not")), "refused to answer: I will not"),
        ((403, {}, {"error": {"message": "Your input was flagged"}}), "answered 403: Your input was flagged"),
        ((400, {}, {"error": {"message": "a\x1b[2J\u202eb"}}), r"answered 400: a\\x1b\[2J\\u202eb$"),
        ("reset", "cannot reach .*: .*[Rr]eset"),
    ],
)
async def test_what_a_server_said_is_told(server: Script, reply: object, words: str) -> None:
    server.replies.append(reply)
    backend = backend_on(server, max_retries=0)
    with pytest.raises(BackendError, match=words):
        await backend.generate(PROMPT, Sampling())
    await backend.close()


async def test_an_answer_in_parts_is_put_together(server: Script) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = [thought, {"type": "text", "text": "def f(x):"}, {"type": "text", "text": " return x"}]
    server.replies.append((200, {}, answer({"model": "m"}, content=parts)))
    backend = backend_on(server)
    assert (await backend.generate(PROMPT, Sampling())).text == "def f(x): return x"
    await backend.close()


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [1],
        {"total_tokens": 7},
        {"prompt_tokens": "100", "completion_tokens": "20"},
        {"prompt_tokens": -5, "completion_tokens": -7},
        {"prompt_tokens": 10.5, "completion_tokens": True},
        {"prompt_tokens": 10**30, "completion_tokens": None},
    ],
)
async def test_tokens_that_a_server_does_not_count_are_estimated_and_this_is_said_once(
    server: Script, usage: object, caplog: pytest.LogCaptureFixture
) -> None:
    reply = answer({"model": "m"}, content="x" * 41, reasoning_content="y" * 8) | {"usage": usage}
    server.replies += [(200, {}, reply)] * 2
    backend = backend_on(server)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            completion = await backend.generate(PROMPT, Sampling())
            assert (completion.prompt_tokens, completion.output_tokens) == (2 + 2, 11 + 2)
    assert [r.getMessage() for r in caplog.records if "does not count tokens" in r.getMessage()] != []
    assert len(caplog.records) == 1
    await backend.close()


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_key_that_the_server_repeats_is_not_shown(server: Script, status: int) -> None:
    server.replies.append((status, {}, {"error": {"message": "Incorrect API key provided: sk-very-secret."}}))
    backend = backend_on(server, max_retries=0)
    with pytest.raises((BackendError, ConfigError), match=r"Incorrect API key provided: \*\*\*") as caught:
        await backend.generate(PROMPT, Sampling())
    assert "sk-very-secret" not in str(caught.value)
    await backend.close()


async def test_a_server_that_is_too_slow_or_absent(server: Script) -> None:
    server.replies += [2.0]
    backend = backend_on(server, timeout_s=0.2, max_retries=0)
    with pytest.raises(BackendError, match="in time"):
        await backend.generate(PROMPT, Sampling())
    await backend.close()
    nobody = OpenAIBackend(
        "p",
        OpenAIPolicyConfig(model="m", base_url="http://127.0.0.1:9/v1", api_key_env="MARS2_TEST_KEY", max_retries=0),
    )
    with pytest.raises(BackendError, match="cannot reach http://127"):
        await nobody.generate(PROMPT, Sampling())
    await nobody.close()


DRIP = [b" "] * 600 + [json.dumps(answer({"model": "m"})).encode()]
"""An answer of which something comes every 0.1 s, for a minute."""


async def test_a_request_is_bounded_though_its_answer_never_pauses(server: Script) -> None:
    server.replies += [(200, {}, DRIP)]
    backend = backend_on(server, timeout_s=2.0, max_retries=1)
    started = asyncio.get_running_loop().time()
    assert (await backend.generate(PROMPT, Sampling(seed=0))).text == "abc"  # the second attempt's
    assert asyncio.get_running_loop().time() - started < 30
    assert len(server.requests) == 2
    server.replies += [(200, {}, DRIP)] * 2
    with pytest.raises(BackendError, match=r"in time \(2 s\)"):
        await backend.generate(PROMPT, Sampling())
    await backend.close()


async def test_a_request_under_way_can_be_cancelled(server: Script) -> None:
    server.replies += [(200, {}, DRIP)]
    backend = backend_on(server, timeout_s=30)
    request = asyncio.create_task(backend.generate(PROMPT, Sampling()))
    while not server.requests:
        await asyncio.sleep(0.01)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (await backend.generate(PROMPT, Sampling(seed=0))).text == "abc"
    await backend.close()


async def test_lone_surrogates_in_a_prompt_can_be_sent(server: Script) -> None:
    backend = backend_on(server)
    await backend.generate((Message("user", "got \ud800 here"),), Sampling())
    assert server.requests[0]["messages"][0]["content"] == "got ? here"
    await backend.close()


async def test_white_space_around_a_key_is_no_part_of_it(server: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARS2_TEST_KEY", "  sk-very-secret\r\n")
    backend = backend_on(server)
    await backend.generate(PROMPT, Sampling())
    assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
    await backend.close()


@pytest.mark.parametrize("key", ["sk-very\nsecret", "sk-very-sécret", "sk-very\x7fsecret"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(
    server: Script, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARS2_TEST_KEY", key)
    with pytest.raises(ConfigError, match="MARS2_TEST_KEY holds control or non-ASCII characters") as caught:
        backend_on(server)
    assert "sk-very" not in str(caught.value)


async def test_a_key_is_hidden_also_as_python_or_json_writes_it(
    server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk\\very'\"secret"
    monkeypatch.setenv("MARS2_TEST_KEY", key)
    server.replies.append((400, {}, {"error": {"message": f"{key} {key!r} {json.dumps(key)}"}}))
    backend = backend_on(server)
    with pytest.raises(BackendError) as caught:
        await backend.generate(PROMPT, Sampling())
    assert "secret" not in str(caught.value)
    await backend.close()


def test_openai_itself_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        OpenAIBackend("p", OpenAIPolicyConfig(model="gpt"))


async def test_vllm_is_told_every_sampling_option_that_a_model_folder_could_set(server: Script, tmp_path: Path) -> None:
    """What is left open, `vllm serve` takes from generation_config.json, and log-probs would not be the sampler's."""
    message = {"token_ids": [5], "logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}}
    reply = answer({"model": "m", "max_tokens": 1}) | {"prompt_token_ids": [1, 2]}
    reply["choices"][0] |= message
    server.replies.append((200, {}, reply))
    backend = VllmServerBackend(
        "p",
        VllmServerPolicyConfig(model="m", base_url=server.url, folder=str(tmp_path), api_key_env="MARS2_TEST_KEY"),
    )
    await backend.generate(PROMPT, Sampling(seed=0))
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    neutral |= {"presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert {name: server.requests[0].get(name) for name in neutral} == neutral
    await backend.close()


@pytest.mark.parametrize(
    "logprobs",
    [{"content": [{"token": "a"}]}, {"content": [1]}, {"content": 5}, {"content": [{"logprob": "x"}]}, [1], "x"],
)
async def test_malformed_logprobs_of_vllm_are_a_backend_error(server: Script, tmp_path: Path, logprobs: object) -> None:
    reply = answer({"model": "m"}) | {"prompt_token_ids": [1, 2]}
    reply["choices"][0].update(token_ids=[5], logprobs=logprobs)
    server.replies.append((200, {}, reply))
    backend = VllmServerBackend(
        "p",
        VllmServerPolicyConfig(model="m", base_url=server.url, folder=str(tmp_path), api_key_env="MARS2_TEST_KEY"),
    )
    with pytest.raises(BackendError, match="token ids or logprobs are malformed"):
        await backend.generate(PROMPT, Sampling(seed=0))
    await backend.close()
