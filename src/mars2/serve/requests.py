"""Checks a request to the endpoint and turns it into a problem."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mars2.core.errors import ProblemError, UserError
from mars2.core.problem import Problem
from mars2.problems.schema import is_function_name, problem_from_data
from mars2.problems.statement import read_statement

REFUSED = {
    "tools": "tools are not called",
    "functions": "functions are not called",
    "logprobs": "log-probabilities are not given",
    "stop": "stop sequences are not kept",
}
"""Fields that are refused, and why: to ignore them would mislead a client. Other unknown fields are ignored."""


_NO_TEST = {"input": "", "output": ""}
"""Stands for the tests of a request without any, so that the rest can be checked as in a problem file."""


class RequestError(UserError):
    """A request that cannot be answered as it is."""

    def __init__(self, message: str, *, field: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


def _as_text(content: Any) -> str:
    """The text of a message's content. The content of an assistant's message may be null, which is no text."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "\n".join(map(_text_of_part, content))
        case _:
            raise ValueError(f"must be text or a list of text parts, got {content!r:.60}")


def _text_of_part(part: Any) -> str:
    match part:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": kind}:
            raise ValueError(f"only text parts are read, got one of type {kind!r:.60}")
        case _:
            raise ValueError(f'a part must be {{"type": "text", "text": "…"}}, got {part!r:.60}')


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_as_text)] = ""


class SearchOptions(BaseModel):
    """The extension field `mars2`: the tests, and how to search."""

    model_config = ConfigDict(extra="forbid")

    tests: list[Any] | None = None  # as `tests.public` of a problem file; None or none: the statement's examples
    entry_point: str | None = None
    starter_code: str | None = None
    comparison: str | None = None
    checker: str | None = None
    limits: dict[str, Any] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None  # programs; None: the server's
    seconds: Annotated[float, Field(gt=0)] | None = None
    progress: Literal["none", "reasoning", "content"] = "none"  # in a stream: as reasoning deltas, in the text, not


class ChatRequest(BaseModel):
    """The fields of a chat completion request that are read."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: Literal[1] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    mars2: Annotated[SearchOptions, BeforeValidator(lambda given: {} if given is None else given)] = SearchOptions()

    @property
    def wants_usage(self) -> bool:
        return bool((self.stream_options or {}).get("include_usage"))


def parse_request(body: bytes) -> ChatRequest:
    """
    Raises:
        RequestError: names the field.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise RequestError("the body must be a JSON object")
    for field, why in REFUSED.items():
        if data.get(field):
            raise RequestError(f"{field}: {why} here; leave it out", field=field)
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise RequestError(f"{field}: {fault['msg'].removeprefix('Value error, ')}", field=field) from None


def problem_of(request: ChatRequest, name: str) -> Problem:
    """The last user message is the statement; what came before it is put above it.

    Raises:
        RequestError: names the field: a wrong key of `mars2`, or a missing user message.
    """
    *earlier, last = request.messages
    if last.role != "user":
        raise RequestError("messages: the last message must be the user's, with the problem", field="messages")
    if not last.content.strip():
        raise RequestError("messages: the last message is empty; write the problem there", field="messages")
    options = request.mars2
    if options.entry_point is not None and not is_function_name(options.entry_point):
        raise RequestError(
            f"mars2.entry_point: must be a function's name, or Solution.METHOD, got {options.entry_point!r:.60}",
            field="mars2.entry_point",
        )
    found = read_statement(last.content, options.entry_point)
    data: dict[str, Any] = {
        "id": name,
        "statement": "\n\n".join(filter(None, (*(message.content for message in earlier), last.content))),
        "tests": {"public": options.tests or [_NO_TEST]},
        "entry_point": found.entry_point,
        "starter_code": found.starter_code if options.starter_code is None else options.starter_code,
        "limits": {"cpu_s": found.limits.cpu_s, "memory_mib": found.limits.memory_mib} | (options.limits or {}),
        "checker": options.checker,
        "metadata": found.metadata,
    }
    if options.comparison is not None:
        data["comparison"] = options.comparison
    try:
        problem = problem_from_data(data, "mars2")
    except ProblemError as error:
        message = str(error).removeprefix("mars2: ").replace("tests.public", "tests", 1)
        where = "messages" if message.startswith("statement:") else "mars2." + message.partition(":")[0]
        raise RequestError(f"{where}:{message.partition(':')[2]}", field=where) from None
    if options.tests:
        return problem
    is_given = options.comparison is not None or options.checker is not None
    comparison = problem.comparison if is_given else found.comparison
    return replace(problem, public_tests=found.tests, comparison=comparison)
