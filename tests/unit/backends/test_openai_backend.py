"""The HTTP backend against a real server on loopback: retries, limits, separated reasoning, errors in one line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mars2.backends.openai_ import OpenAIBackend
from mars2.backends.vllm_server import VllmServerBackend
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
    return OpenAIBackend("p", "m", base_url=server.url, api_key_env="MARS2_TEST_KEY", **options)  # type: ignore[arg-type]


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
        ((403, {}, BUSY), "refused the key in MARS2_TEST_KEY"),
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
    ],
)
async def test_an_answer_that_is_none_is_a_backend_error(server: Script, reply: object) -> None:
    server.replies.append(reply)
    backend = backend_on(server, max_retries=0)
    with pytest.raises(BackendError, match="policy 'p'") as caught:
        await backend.generate(PROMPT, Sampling())
    assert "\n" not in str(caught.value)
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
    nobody = OpenAIBackend("p", "m", base_url="http://127.0.0.1:9/v1", api_key_env="MARS2_TEST_KEY", max_retries=0)
    with pytest.raises(BackendError, match="cannot reach http://127"):
        await nobody.generate(PROMPT, Sampling())
    await nobody.close()


async def test_lone_surrogates_in_a_prompt_can_be_sent(server: Script) -> None:
    backend = backend_on(server)
    await backend.generate((Message("user", "got \ud800 here"),), Sampling())
    assert server.requests[0]["messages"][0]["content"] == "got ? here"
    await backend.close()


def test_openai_itself_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        OpenAIBackend("p", "gpt")


async def test_vllm_is_told_every_sampling_option_that_a_model_folder_could_set(server: Script, tmp_path: Path) -> None:
    """What is left open, `vllm serve` takes from generation_config.json, and log-probs would not be the sampler's."""
    message = {"token_ids": [5], "logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}}
    reply = answer({"model": "m", "max_tokens": 1}) | {"prompt_token_ids": [1, 2]}
    reply["choices"][0] |= message
    server.replies.append((200, {}, reply))
    backend = VllmServerBackend("p", "m", base_url=server.url, folder=tmp_path, api_key_env="MARS2_TEST_KEY")
    await backend.generate(PROMPT, Sampling(seed=0))
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    neutral |= {"presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert {name: server.requests[0].get(name) for name in neutral} == neutral
    await backend.close()
