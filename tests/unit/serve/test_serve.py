"""`mars2 serve` over real HTTP with the official client: answers, streams, limits, clients that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from starlette.requests import Request

import mars2.serve.app as app_module
from mars2.serve.app import Server
from mars2.serve.requests import parse_request, problem_of

SCRIPT = """
rules:
  - match: wrong answer
    answers: ["```python\\nprint(sum(map(int, input().split())))\\n```"]
    latency_s: 0.01
  - match: forever
    answers: ["```python\\nprint(1)\\n```"]
    latency_s: 30
  - match: broken
    fail: true
    answers: [x]
  - match: ''
    answers: ["```python\\nprint(0)\\n```", "```python\\nprint(sum(map(int, input().split())))\\n```"]
    latency_s: 0.01
"""
DEEP: list[Any] = []
for _ in range(600):
    DEEP = [DEEP]
SUM = [{"role": "user", "content": "Read numbers, print their sum."}]
TESTS = {"mars2": {"tests": [{"input": "1 2", "output": "3"}, {"input": "4 5", "output": "9"}]}}


def extended(**options: Any) -> bytes:
    """A request with these options in its field `mars2`."""
    return json.dumps({"model": "mars2", "messages": SUM, "mars2": options}).encode()


@contextmanager
def serving(
    tmp_path: Path, *options: str, sigint: Any = signal.default_int_handler, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "mars2", "serve", "--agents", f"scripted:{script}", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),
    )
    assert process.stderr is not None
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"http://\S+/v1", line):
                break
        else:
            pytest.fail("".join(lines))
        yield found.group(), process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.stderr.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with serving(tmp_path_factory.mktemp("serve"), "--budget", "6", "--max-searches", "20") as found:
        yield found


@pytest.fixture(scope="module")
def url(server: tuple[str, subprocess.Popen[str]]) -> str:
    return server[0]


def client_of(url: str, key: str = "none") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0)


def fetched(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
            return answer.status, json.loads(body) if body[:1] in b"{[" else body.decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


async def test_the_official_client_gets_a_program_that_passes(url: str) -> None:
    async with client_of(url) as client:
        answer = await client.chat.completions.create(model="mars2", messages=SUM, extra_body=TESTS)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "```python\nprint(sum(map(int, input().split())))\n```"
    assert answer.choices[0].finish_reason == "stop"
    facts: Any = answer.model_extra["mars2"]  # type: ignore[index]
    assert (facts["num_passed"], facts["num_tests"]) == (2, 2)
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


async def test_examples_in_the_statement_are_the_tests(url: str) -> None:
    text = "Print the sum.\n\nSample Input\n```\n1 2\n```\nSample Output\n```\n3\n```\n"
    async with client_of(url) as client:
        answer = await client.chat.completions.create(model="mars2", messages=[{"role": "user", "content": text}])
    facts: Any = answer.model_extra["mars2"]  # type: ignore[index]
    assert (facts["num_passed"], facts["num_tests"]) == (1, 1)


@pytest.mark.parametrize("progress", ["none", "reasoning", "content"])
async def test_a_stream_ends_with_the_answer(url: str, progress: str) -> None:
    body = {"mars2": TESTS["mars2"] | {"progress": progress}}
    async with client_of(url) as client:
        stream = await client.chat.completions.create(  # type: ignore[call-overload]
            model="mars2", messages=SUM, stream=True, stream_options={"include_usage": True}, extra_body=body
        )
        chunks = [chunk async for chunk in stream]
    deltas = [c.choices[0].delta for c in chunks if c.choices]
    content = "".join(d.content or "" for d in deltas)
    reasoning = "".join((d.model_extra or {}).get("reasoning_content") or "" for d in deltas)
    assert content.endswith("```python\nprint(sum(map(int, input().split())))\n```")
    assert ("[1/6]" in content, "[1/6]" in reasoning) == (progress == "content", progress == "reasoning")
    assert chunks[-1].usage.completion_tokens > 0
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]


def test_models_health_and_metrics(url: str) -> None:
    root = url.removesuffix("/v1")
    assert fetched(f"{url}/models")[1]["data"][0]["id"] == "mars2"
    assert fetched(f"{root}/health") == (200, {"status": "ok", "searches": 0})
    status, text = fetched(f"{root}/metrics")
    assert status == 200
    assert "mars2_programs_total" in text


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{not json", 400, "not JSON"),
        (b"[1]", 400, "JSON object"),
        (b"{}", 400, "model"),
        (b'{"model": "gpt", "messages": [{"role": "user", "content": "x"}]}', 404, "use 'mars2'"),
        (b'{"model": "mars2", "messages": []}', 400, "messages"),
        (b'{"model": "mars2", "messages": [{"role": "user", "content": " "}]}', 400, "empty"),
        (b'{"model": "mars2", "messages": [{"role": "assistant", "content": "x"}]}', 400, "last message"),
        (b'{"model": "mars2", "n": 2, "messages": [{"role": "user", "content": "x"}]}', 400, "n: "),
        (b'{"model": "mars2", "tools": [{}], "messages": [{"role": "user", "content": "x"}]}', 400, "tools"),
        (b'{"model": "mars2", "messages": [{"role": "user", "content": "x"}], "mars2": {"budgt": 1}}', 400, "budgt"),
        (b'{"model": "mars2", "messages": [{"role": "user", "content": "x"}], "mars2": {"budget": 99}}', 400, "<= 6"),
        (
            b'{"model": "mars2", "messages": [{"role": "user", "content": "x"}], "mars2": {"tests": [{"in": 1}]}}',
            400,
            "in",
        ),
        (
            b'{"model": "mars2", "messages": [{"role": "user", "content": 5}]}',
            400,
            "messages[0].content: must be text or",
        ),
        (
            b'{"model": "mars2", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}',
            400,
            "messages[0].content: only text parts are read",
        ),
        (extended(limits={"cpu_s": -5}), 400, "mars2.limits.cpu_s: must be > 0, got -5"),
        (extended(comparison="zzz"), 400, "mars2.comparison: must be one of"),
        (extended(checker="not python ("), 400, "mars2.checker: not Python"),
        (extended(entry_point=""), 400, "mars2.entry_point: must be a function's name"),
        (extended(entry_point="\ud800"), 400, "mars2.entry_point: must be a function's name"),
        (
            extended(tests=[{"args": [DEEP], "expected": 1}], entry_point="f"),
            400,
            "mars2.tests[0]: nested more than 200",
        ),
        (extended(tests=[{"input": "a"}]), 400, "mars2.tests[0].output: missing"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"model": "mars2", "messages": "' + b"x" * 5_000_000 + b'"}', 413, "bytes long"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, bytes) else None,
)
def test_a_bad_request_gets_an_error_that_names_the_field(url: str, body: bytes, status: int, message: str) -> None:
    got, answer = fetched(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
    assert got == status
    assert message in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"


def test_what_is_not_there_is_an_error_as_clients_read_it(url: str) -> None:
    for path, data, status in (("/nothing", None, 404), ("/chat/completions", None, 405), ("/models/gpt/4", None, 404)):
        got, answer = fetched(url + path, data)
        assert got == status
        assert answer["error"]["message"]


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost:3000", 200), ("https://evil.example", 403), ("null", 403)]
)
def test_a_foreign_web_page_cannot_start_a_search(url: str, origin: str, status: int) -> None:
    body = json.dumps({"model": "mars2", "messages": SUM} | TESTS).encode()
    got, answer = fetched(f"{url}/chat/completions", body, {"Content-Type": "text/plain", "Origin": origin})
    assert got == status, answer


@pytest.mark.parametrize(
    "change",
    [
        {"stream": None, "mars2": None},
        {"messages": [*SUM, {"role": "assistant", "content": None, "refusal": None}, *SUM]},
        {"messages": [*SUM, {"role": "assistant"}, *SUM]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Print"}, {"type": "text", "text": "0."}]}
            ]
        },
        {"tools": None, "n": None, "seed": None, "temperature": None, "max_tokens": None, "stream_options": None},
    ],
)
def test_what_the_schema_of_openai_allows_is_answered(url: str, change: dict[str, Any]) -> None:
    body = {"model": "mars2", "messages": SUM, "mars2": {"budget": 1}} | change
    status, answer = fetched(f"{url}/chat/completions", json.dumps(body).encode())
    assert status == 200, answer


def test_an_empty_list_of_tests_is_none(url: str) -> None:
    status, answer = fetched(f"{url}/chat/completions", extended(tests=[], budget=1))
    assert (status, answer["mars2"]["num_tests"]) == (200, 0)


RAISES = "def check(input, expected, actual):\n    raise ValueError('oh')\n"


@pytest.mark.parametrize("stream", [False, True])
def test_a_checker_that_raises_is_the_requests_fault(url: str, stream: bool) -> None:
    options = {"checker": RAISES, "tests": [{"input": "1", "output": "1"}], "budget": 1}
    body = json.dumps({"model": "mars2", "messages": SUM, "stream": stream, "mars2": options}).encode()
    status, answer = fetched(f"{url}/chat/completions", body)
    if stream:
        assert status == 200
        answer = json.loads(answer.rpartition("data: ")[2])
    else:
        assert status == 400
    assert (answer["error"]["param"], answer["error"]["type"]) == ("mars2.checker", "invalid_request_error")
    assert "oh" in answer["error"]["message"]


def test_limits_and_comparison_count_without_tests() -> None:
    request = parse_request(extended(limits={"cpu_s": 2}, comparison="tokens"))
    problem = problem_of(request, "x")
    assert (problem.public_tests, problem.limits.cpu_s, problem.comparison) == ((), 2, "tokens")


async def test_the_log_holds_no_tracebacks(tmp_path: Path) -> None:
    """Of a client that leaves while its body is read, and of searches that Ctrl-C ends."""
    with serving(tmp_path) as (url, process):
        port = int(url.split(":")[2].partition("/")[0])
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
        _, leaving = await asyncio.open_connection("127.0.0.1", port)
        leaving.write(head)
        await leaving.drain()
        await asyncio.sleep(0.3)
        leaving.close()
        for _ in range(100):
            if 'mars2_requests_total{status="499"} 1' in fetched(f"http://127.0.0.1:{port}/metrics")[1]:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("the client that left is not counted")
        messages = [{"role": "user", "content": "take forever"}]
        bodies = [json.dumps({"model": "mars2", "messages": messages, "stream": s}).encode() for s in (False, True)]
        asking = [asyncio.ensure_future(asyncio.to_thread(fetched, f"{url}/chat/completions", b)) for b in bodies]
        while await searches(url) < 2:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        (status, plain), (_, streamed) = await asyncio.gather(*asking)
        assert (status, plain["error"]["type"]) == (503, "server_error")
        assert "stopping" in json.loads(streamed.rpartition("data: ")[2])["error"]["message"]
        await asyncio.to_thread(process.wait, 20)
        assert process.stderr is not None
        log = process.stderr.read()
        assert "Traceback" not in log
        assert "ERROR" not in log
        assert process.returncode == 130


def test_an_address_that_is_none(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    for host in ("nosuch.invalid", "a..b"):
        command = [sys.executable, "-m", "mars2", "serve", "--agents", f"scripted:{script}", "--host", host]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert f"--host, --port: cannot listen on {host}:8080" in done.stderr


async def test_a_fault_of_the_server_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(None, None, max_nodes=1)  # type: ignore[arg-type]
    monkeypatch.setattr(app_module, "parse_request", lambda body: 1 / 0)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    with pytest.raises(ZeroDivisionError):
        await server.chat(Request({"type": "http", "method": "POST", "headers": []}, receive))
    assert 'mars2_requests_total{status="500"} 1' in server.counters.text()


async def test_a_backend_that_fails_is_a_502(url: str) -> None:
    async with client_of(url) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="mars2", messages=[{"role": "user", "content": "broken"}])
    assert caught.value.status_code == 502
    assert "script says to fail" in str(caught.value)


async def searches(url: str) -> int:
    return (await asyncio.to_thread(fetched, url.removesuffix("/v1") + "/health"))[1]["searches"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_its_search(url: str, stream: bool) -> None:
    async with client_of(url) as client:

        async def ask() -> None:
            answer: Any = await client.chat.completions.create(  # type: ignore[call-overload]
                model="mars2", messages=[{"role": "user", "content": "take forever"}], stream=stream
            )
            async for _ in answer:
                pass

        task = asyncio.create_task(ask())
        for _ in range(100):
            if await searches(url) == 1:
                break
            await asyncio.sleep(0.05)
        assert await searches(url) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for _ in range(100):
        if await searches(url) == 0:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the search went on without its client")


async def test_too_many_searches_at_once_and_a_key(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-searches", "1", MARS2_API_KEY="sesame") as (url, _):
        async with client_of(url) as stranger:
            with pytest.raises(openai.AuthenticationError):
                await stranger.models.list()
            with pytest.raises(openai.AuthenticationError):
                await stranger.chat.completions.create(model="mars2", messages=SUM)  # type: ignore[arg-type]
        for header, status in {"bearer sesame": 200, "BEARER  sesame": 200, "sesame": 401, "Basic sesame": 401}.items():
            assert fetched(f"{url}/models", headers={"Authorization": header})[0] == status
        async with client_of(url, "sesame") as client:
            long = [{"role": "user", "content": "take forever"}]
            first = asyncio.create_task(client.chat.completions.create(model="mars2", messages=long))  # type: ignore[arg-type]
            for _ in range(100):
                if await searches(url) == 1:
                    break
                await asyncio.sleep(0.05)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="mars2", messages=SUM)  # type: ignore[arg-type]
            assert caught.value.response.headers["retry-after"] == "5"
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)


@pytest.mark.slow
async def test_ctrl_c_does_not_wait_for_long_searches(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, process):
        body = json.dumps({"model": "mars2", "messages": [{"role": "user", "content": "take forever"}]}).encode()
        asking = asyncio.ensure_future(asyncio.to_thread(fetched, f"{url}/chat/completions", body))
        while await searches(url) == 0:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait, 25)  # one program takes 30 s
        assert process.returncode == 130
        assert isinstance((await asyncio.gather(asking, return_exceptions=True))[0], Exception | tuple)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_signals_in_the_background_and_no_request_outlasts_the_servers_seconds(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path, "--set", "budget.seconds=1", sigint=signal.SIG_IGN) as (url, process):
        body = {"model": "mars2", "messages": [{"role": "user", "content": "forever"}], "mars2": {"seconds": 1e9}}
        started = time.monotonic()
        fetched(f"{url}/chat/completions", json.dumps(body).encode())
        assert time.monotonic() - started < 20
        process.send_signal(number)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip().endswith("stopped")


@pytest.mark.slow
@pytest.mark.parametrize("limit_kib", [1024, 16384], ids=["5MB refused", "5MB answered"])
async def test_clients_of_every_kind_and_flat_memory(tmp_path: Path, limit_kib: int) -> None:
    """8 at once: one leaves midway, one sends no JSON, one 5 MB; the rest get answers; 200 requests leave nothing."""
    options = ("--budget", "6", "--max-searches", "20", "--max-request-kib", str(limit_kib))
    with serving(tmp_path, *options) as (url, process):
        async with client_of(url) as client:

            async def ask(seed: int, text: str = "Read numbers, print their sum.") -> str | None:
                answer = await client.chat.completions.create(
                    model="mars2",
                    messages=[{"role": "user", "content": text}],
                    seed=seed,
                    extra_body={"mars2": TESTS["mars2"] | {"budget": 4}},
                )
                return answer.choices[0].message.content

            async def leave(round_: int) -> None:
                """After the first delta of a stream, or during a search that would take half a minute."""
                messages: Any = [{"role": "user", "content": "take forever"}]
                work = client.chat.completions.create(model="mars2", messages=messages, stream=bool(round_ % 2))
                task = asyncio.ensure_future(work)
                if round_ % 2:
                    stream: Any = await task
                    async for _ in stream:
                        break
                    await stream.close()
                else:
                    await asyncio.sleep(0.1)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

            async def big(seed: int) -> None:
                question = ask(seed, "Read numbers, print their sum. " + "x" * 5_000_000)
                if limit_kib > 5000:
                    assert (await question or "").startswith("```python")
                else:
                    with pytest.raises(openai.APIStatusError, match="bytes long"):
                        await question

            async def eight(round_: int) -> None:
                found = await asyncio.gather(
                    leave(round_),
                    asyncio.to_thread(fetched, f"{url}/chat/completions", b"{nonsense"),
                    big(8 * round_ + 7),
                    *(ask(8 * round_ + i) for i in range(5)),
                )
                assert found[1][0] == 400
                assert all(content and content.startswith("```python") for content in found[3:])

            async def idle() -> None:
                for _ in range(200):
                    if await searches(url) == 0:
                        return
                    await asyncio.sleep(0.05)
                pytest.fail("a search goes on without its client")

            for round_ in range(5):
                await eight(round_)
            await idle()
            early, open_early, tasks_early = resident_mib(process), descriptors(process), threads(process)
            for round_ in range(5, 30):
                await eight(round_)
            await idle()
            late = resident_mib(process)
            print(f"resident {early:.1f} MiB, after 200 requests {late:.1f} MiB")
            assert descriptors(process) <= open_early + 4
            assert threads(process) <= tasks_early + 4
            assert late <= early + 16


def resident_mib(process: subprocess.Popen[str]) -> float:
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024  # type: ignore[union-attr]


def descriptors(process: subprocess.Popen[str]) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def threads(process: subprocess.Popen[str]) -> int:
    return len(os.listdir(f"/proc/{process.pid}/task"))
