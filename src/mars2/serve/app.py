"""The HTTP application: chat completions, models, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from mars2.build.growing import build_grower, weigher_of_answers
from mars2.config.run import RunConfig
from mars2.core.errors import BackendError, CheckerError, ConfigError, Mars2Error
from mars2.core.events import Cancelled, Event, Listener, Told
from mars2.core.foreign_text import quoted
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.jobs.solution import Solution
from mars2.jobs.solve import search
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.team import Team
from mars2.serve.counters import Counters
from mars2.serve.requests import ChatRequest, RequestError, parse_request, problem_of

_log = logging.getLogger(__name__)
_KEEP_ALIVE_S = 10.0
_LOOK_FOR_CLIENT_S = 0.25
_DRAIN_FACTOR = 64
CLIENT_LEFT = 499


class Server:
    """Answers requests with one team's searches.

    Args:
        name: the model's name for clients.
        max_searches: at once; one more request gets 429.
        max_nodes: programs a request may ask for, and gets if it does not say.
        max_request_bytes: of a body; a longer one gets 413.
        api_key: wanted as a bearer token; None: no key is wanted.
        origins: whose web pages may ask, as browsers name them; "*": any page's, which needs a key.

    Raises:
        ConfigError: `origins` holds what is none, or "*" without a key.
    """

    def __init__(
        self,
        config: RunConfig,
        team: Team,
        *,
        name: str = "mars2",
        max_searches: int = 8,
        max_nodes: int | None = None,
        max_request_bytes: int = 1 << 20,
        api_key: str | None = None,
        origins: Iterable[str] = (),
    ) -> None:
        self.config = config
        self.team = team
        self.name = name
        self.max_searches = max_searches
        self.max_nodes = max_nodes or config.rollout.max_nodes
        self.max_request_bytes = max_request_bytes
        self.api_key = api_key
        self.origins = allowed_origins(origins, api_key=api_key)
        self.counters = Counters()
        self.searches: set[asyncio.Task[Solution]] = set()
        self.is_stopping = False
        self.started_s = int(time.time())

    def app(self) -> FastAPI:
        app = FastAPI(title="mars2", docs_url=None, redoc_url=None, openapi_url=None)
        app.add_api_route("/v1/chat/completions", self.chat, methods=["POST"])
        app.add_api_route("/v1/models", self.models, methods=["GET"])
        app.add_api_route("/v1/models/{name:path}", self.model, methods=["GET"])
        app.add_api_route("/health", self.health, methods=["GET"])
        app.add_api_route("/metrics", self.metrics, methods=["GET"])
        app.add_exception_handler(HTTPException, _not_here)
        app.add_exception_handler(Exception, _own_fault)
        if self.origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=list(self.origins),
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=["Retry-After"],
            )
        return app

    def end_searches(self) -> None:
        """End every search under way; who waits for it gets 503, as does whoever asks from now on."""
        self.is_stopping = True
        for work in self.searches:
            work.cancel()

    async def health(self) -> Response:
        return JSONResponse({"status": "ok", "searches": self.counters.num_searching})

    async def metrics(self) -> Response:
        return PlainTextResponse(self.counters.text())

    async def models(self, request: Request) -> Response:
        if (refused := self._unauthorised(request)) is not None:
            return refused
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request, name: str) -> Response:
        if (refused := self._unauthorised(request)) is not None:
            return refused
        return JSONResponse(self._model()) if name == self.name else self._no_model(name)

    async def chat(self, request: Request) -> Response:
        try:
            response = await self._chat(request)
        except Exception:
            self.counters.add("mars2_requests_total", labels='{status="500"}')
            raise
        if not isinstance(response, StreamingResponse):
            self.counters.add("mars2_requests_total", labels=f'{{status="{response.status_code}"}}')
        return response

    async def _chat(self, http: Request) -> Response:
        if (refused := self._unauthorised(http)) is not None:
            return refused
        try:
            chat = parse_request(await self._body(http))
            if chat.model != self.name:
                return self._no_model(chat.model)
            if (chat.mars2.budget or 1) > self.max_nodes:
                raise RequestError(
                    f"mars2.budget: must be <= {self.max_nodes} here, got {chat.mars2.budget}", field="mars2.budget"
                )
            name = f"chatcmpl-{uuid.uuid4().hex}"
            problem = await asyncio.to_thread(problem_of, chat, name, self.config.sandbox.limits)
        except RequestError as error:
            return _error(error.status, str(error), param=error.field)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        if self.is_stopping:
            return _failure(_Stopping())
        if self.counters.num_searching >= self.max_searches:
            busy = f"{self.max_searches} searches are under way; try again later"
            return _error(429, busy, kind="rate_limit_exceeded", headers={"Retry-After": "5"})
        self.counters.num_searching += 1  # given back by whoever runs the search
        if chat.stream:
            return StreamingResponse(self._stream(chat, problem), media_type="text/event-stream")
        try:
            return await self._answer(http, chat, problem)
        finally:
            self.counters.num_searching -= 1

    async def _answer(self, http: Request, chat: ChatRequest, problem: Problem) -> Response:
        work = self._start(chat, problem, say=lambda text: None)
        try:
            while not (await asyncio.wait([work], timeout=_LOOK_FOR_CLIENT_S))[0]:
                if await http.is_disconnected():
                    return Response(status_code=CLIENT_LEFT)
            solution = _solution(work)
        except Mars2Error as error:
            return _failure(error)
        finally:
            await _end(work)
        message = {"role": "assistant", "content": _content(solution), "refusal": None}
        return JSONResponse(
            self._head(problem.id, "chat.completion")
            | {"choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]}
            | {"usage": _usage(solution), "mars2": _facts(solution)}
        )

    async def _stream(self, chat: ChatRequest, problem: Problem) -> AsyncIterator[str]:
        """Server-sent events: progress as it comes, if wanted; the answer; usage; the end."""
        status = str(CLIENT_LEFT)
        said: asyncio.Queue[str] = asyncio.Queue()
        field = {"reasoning": "reasoning_content", "content": "content"}.get(chat.mars2.progress)
        say: Callable[[str], None] = said.put_nowait if field else (lambda text: None)
        work = self._start(chat, problem, say=say)
        head = self._head(problem.id, "chat.completion.chunk")
        try:
            yield _event(head | _delta({"role": "assistant", "content": ""}))
            while not work.done() or not said.empty():
                next_said = asyncio.create_task(said.get())
                try:
                    await asyncio.wait([work, next_said], timeout=_KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
                    if next_said.done():
                        yield _event(head | _delta({str(field): next_said.result()}))
                    elif not work.done():
                        yield ": still searching\n\n"
                finally:
                    next_said.cancel()
            try:
                solution = _solution(work)
            except Mars2Error as error:
                failure = _failure(error)
                status = str(failure.status_code)
                yield f"data: {bytes(failure.body).decode()}\n\n"
                return
            status = "200"
            yield _event(head | _delta({"content": _content(solution)}))
            yield _event(head | _delta({}, finish_reason="stop") | {"mars2": _facts(solution)})
            if chat.wants_usage:
                yield _event(head | {"choices": [], "usage": _usage(solution)})
            yield "data: [DONE]\n\n"
        finally:
            self.counters.num_searching -= 1
            self.counters.add("mars2_requests_total", labels=f'{{status="{status}"}}')
            await _end(work)

    def _start(self, chat: ChatRequest, problem: Problem, *, say: Callable[[str], None]) -> asyncio.Task[Solution]:
        work = asyncio.create_task(self._search(chat, problem, say=say))
        self.searches.add(work)
        work.add_done_callback(self.searches.discard)
        return work

    async def _search(self, chat: ChatRequest, problem: Problem, *, say: Callable[[str], None]) -> Solution:
        grower = _grower(self.config, self.team, chat, max_nodes=chat.mars2.budget or self.max_nodes)
        solution = await search(
            grower,
            problem,
            Tree("serve", problem.id),
            selection=self.config.selection,
            weigher=weigher_of_answers(self.config, self.team),
            on_event=_progress(say, grower.max_nodes),
        )
        self.counters.add("mars2_programs_total", len(solution.tree))
        self.counters.add("mars2_prompt_tokens_total", solution.prompt_tokens)
        self.counters.add("mars2_output_tokens_total", solution.output_tokens)
        self.counters.add("mars2_failed_calls_total", solution.num_failed_calls)
        self.counters.add("mars2_search_seconds_total", solution.wall_s)
        self.counters.add("mars2_cost_total", solution.cost)
        return solution

    # ── parts of answers ────────────────────────────────────────────────────────────────────────────────────────────

    async def _body(self, http: Request) -> bytes:
        """The body. One that is too long is read on and thrown away, within reason: many clients read no answer before
        they have sent all."""
        parts: list[bytes] = []
        length = 0
        async for part in http.stream():
            length += len(part)
            if length > _DRAIN_FACTOR * self.max_request_bytes:
                break
            if length <= self.max_request_bytes:
                parts.append(part)
            else:
                parts.clear()
        if length > self.max_request_bytes:
            raise RequestError(f"the body must be at most {self.max_request_bytes} bytes long", status=413)
        return b"".join(parts)

    def _unauthorised(self, http: Request) -> Response | None:
        if self.api_key is None:
            origin = http.headers.get("origin")
            if origin is None or _is_local(origin) or origin in self.origins:
                return None
            foreign = f"a page of {origin[:200]} may not start searches here; start the server with --allow-origin"
            return _error(403, foreign, kind="permission_error")
        scheme, _, given = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.api_key.encode()):
            return None
        return _error(401, "wrong or missing API key", kind="authentication_error")

    def _model(self) -> dict[str, Any]:
        return {"id": self.name, "object": "model", "created": self.started_s, "owned_by": "mars2"}

    def _no_model(self, name: str) -> Response:
        return _error(404, f"there is no model {name!r} here; use {self.name!r}", param="model")

    def _head(self, name: str, kind: str) -> dict[str, Any]:
        return {"id": name, "object": kind, "created": int(time.time()), "model": self.name}


def _grower(config: RunConfig, team: Team, request: ChatRequest, *, max_nodes: int) -> TreeGrower:
    """What grows the tree of a request: as configured, with what the request says in its place."""
    grower = build_grower(config, team, max_nodes=max_nodes, judge_hidden=False)
    limit = request.max_completion_tokens or request.max_tokens
    agents = {
        name: replace(
            agent,
            sampling=replace(
                agent.sampling,
                temperature=agent.sampling.temperature if request.temperature is None else request.temperature,
                top_p=agent.sampling.top_p if request.top_p is None else request.top_p,
                max_tokens=agent.sampling.max_tokens if limit is None else min(limit, agent.sampling.max_tokens),
            ),
        )
        for name, agent in grower.agents.items()
    }
    seconds = min((s for s in (grower.budget.seconds, request.mars2.seconds) if s is not None), default=None)
    seed = config.seed if request.seed is None else request.seed & 0x7FFFFFFF
    return replace(grower, agents=agents, seed=seed, budget=replace(grower.budget, seconds=seconds))


def _progress(say: Callable[[str], None], max_nodes: int) -> Listener:
    """Tells `say` of every node, and of every expansion that was given up."""

    def hear(event: Event) -> None:
        match event:
            case Told(tree, node):
                verdict = node.public_verdict
                passed = f"{verdict.num_passed} of {len(verdict.tests)} tests" if verdict.tests else "no tests"
                whose = f"refines {node.parent_id}" if node.parent_id is not None else "first attempt"
                say(f"[{len(tree)}/{max_nodes}] {node.agent}, {whose}: {verdict.status}, {passed}\n")
            case Cancelled(_, failure):
                say(f"{failure.agent}: {quoted(failure.error)}\n")
            case _:
                pass

    return hear


def _content(solution: Solution) -> str:
    if solution.program is None:
        return "No program was written."
    return f"```python\n{solution.program.strip()}\n```"


def _usage(solution: Solution) -> dict[str, int]:
    return {
        "prompt_tokens": solution.prompt_tokens,
        "completion_tokens": solution.output_tokens,
        "total_tokens": solution.prompt_tokens + solution.output_tokens,
    }


def _facts(solution: Solution) -> dict[str, Any]:
    public = solution.public
    return {
        "agent": solution.agent,
        "why": solution.why,
        "num_passed": public.num_passed if public else 0,
        "num_tests": len(public.tests) if public else 0,
        "num_nodes": len(solution.tree),
        "num_failed_calls": solution.num_failed_calls,
        "stop_reason": solution.stop_reason,
        "error": solution.error,
        "prompt_tokens": solution.prompt_tokens,
        "output_tokens": solution.output_tokens,
        "cost": solution.cost,
        "wall_s": round(solution.wall_s, 3),
        "tier": public.tier if public else "",
    }


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}]}


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    kind: str = "invalid_request_error",
    headers: dict[str, str] | None = None,
) -> Response:
    """An error as OpenAI's clients read it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": None}}
    return JSONResponse(body, status_code=status, headers=headers)


class _Stopping(Mars2Error):
    """The server ended the search."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; ask again when it is back")


def _solution(work: asyncio.Task[Solution]) -> Solution:
    """What a search that is over found.

    Raises:
        Mars2Error: why there is nothing.
    """
    if work.cancelled():
        raise _Stopping
    solution = work.result()
    if solution.program is None and solution.error is not None:
        raise BackendError(solution.error)
    return solution


def _failure(error: Mars2Error) -> Response:
    """The answer to a request whose search failed."""
    if isinstance(error, CheckerError):
        return _error(400, f"mars2.checker: {error}", param="mars2.checker")
    return _error(503 if isinstance(error, _Stopping) else 502, str(error), kind="server_error")


async def _not_here(http: Request, error: Exception) -> Response:
    """No such address, or not this method."""
    assert isinstance(error, HTTPException)
    known = "/v1/chat/completions (POST), /v1/models, /health, /metrics"
    return _error(error.status_code, f"{http.method} {http.url.path[:200]}: {error.detail}; there are {known}")


async def _own_fault(http: Request, error: Exception) -> Response:
    return _error(500, f"the server failed: {type(error).__name__}; see its log", kind="server_error")


def allowed_origins(given: Iterable[str], *, api_key: str | None) -> frozenset[str]:
    """
    Raises:
        ConfigError: one is no origin, or is "*" without a key.
    """
    origins = frozenset(map(_origin, given))
    if "*" in origins and api_key is None:
        raise ConfigError("--allow-origin: * needs an API key, or any web page could start searches here")
    return origins


def _origin(text: str) -> str:
    """An origin as browsers write it: in lower case, without a path or the usual port.

    Raises:
        ConfigError: it is none.
    """
    origin = text.strip().lower().removesuffix("/")
    if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", origin):
        raise ConfigError(f"--allow-origin: must be SCHEME://HOST or SCHEME://HOST:PORT, got {text!r:.100}")
    return origin.removesuffix({"http": ":80", "https": ":443"}.get(origin.partition(":")[0], "/"))


def _is_local(origin: str) -> bool:
    """Whether a page comes from this machine: a foreign one could make its reader's browser start searches here."""
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _end(work: asyncio.Task[Solution]) -> None:
    """Cancel a search that nobody waits for any more, and wait until it has let go of everything."""
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, Mars2Error):
        await work
