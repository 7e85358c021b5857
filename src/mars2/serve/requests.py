"""Checks a request to the endpoint and turns it into a problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mars2.core.errors import ProblemError, UserError
from mars2.core.explain import explain
from mars2.core.problem import Limits, Problem
from mars2.problems.schema import FunctionName, problem_from_data
from mars2.problems.statement import read_statement
from mars2.serve.conversation import Turn, asked

_FORMAT = "an answer is a program in a Python block, in no other format"
REFUSED = {
    "tools": "tools are not called",
    "tool_choice": "tools are not called",
    "functions": "functions are not called",
    "function_call": "functions are not called",
    "response_format": _FORMAT,
    "format": _FORMAT,
    "json_schema": _FORMAT,
    "grammar": _FORMAT,
    "guided_json": _FORMAT,
    "guided_regex": _FORMAT,
    "guided_choice": _FORMAT,
    "guided_grammar": _FORMAT,
    "structured_outputs": _FORMAT,
    "modalities": "only text is written",
    "audio": "only text is written",
    "logprobs": "log-probabilities are not given",
    "top_logprobs": "log-probabilities are not given",
    "logit_bias": "tokens are not weighed",
    "best_of": "there is one answer",
    "stop": "stop sequences are not kept",
    "stop_token_ids": "stop sequences are not kept",
    "web_search_options": "nothing is searched",
    "continue_final_message": "the beginning of an answer is not continued",
}
"""Fields that are refused, and why: to ignore them would mislead a client. Other unknown fields are ignored."""

_HARMLESS: dict[str, tuple[Any, ...]] = {
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "best_of": (1,),
}
"""Values of these fields that ask for nothing, beside empty ones."""

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
            raise ValueError("must be text or a list of text parts")


def _text_of_part(part: Any) -> str:
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str() as text}:
            return text
        case {"type": "refusal", "refusal": str() as text}:
            return text
        case str():
            return part
        case {"type": str() as kind}:
            raise ValueError(f"only text parts are read, none of type {kind!r:.40}")
        case _:
            raise ValueError('only text parts are read, such as {"type": "text", "text": "…"}')


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[str, BeforeValidator(_as_text)] = ""


class SearchOptions(BaseModel):
    """The extension field `mars2`: the tests, and how to search."""

    model_config = ConfigDict(extra="forbid")

    tests: list[Any] | None = None  # as `tests.public` of a problem file; None or none: the statement's examples
    entry_point: FunctionName | None = None
    starter_code: str | None = None
    comparison: str | None = None
    checker: str | None = None
    limits: dict[str, Any] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None  # programs; None: the server's
    seconds: Annotated[float, Field(gt=0)] | None = None
    progress: Literal["none", "reasoning", "content"] = "none"  # in a stream: as reasoning deltas, in the text, not


LongestAnswer = Annotated[
    Annotated[int, Field(ge=1)] | None, BeforeValidator(lambda given: None if given == -1 else given)
]
"""Tokens of one program; -1, as clients of llama.cpp say: no limit but the server's."""


class ChatRequest(BaseModel):
    """The fields of a chat completion request that are read."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: Literal[1] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: LongestAnswer = None
    max_completion_tokens: LongestAnswer = None
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
        if data.get(field) and data[field] not in _HARMLESS.get(field, ()):
            raise RequestError(f"{field}: {why} here; leave it out", field=field)
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        mistake = explain(error.errors(include_url=False), data, lambda _: SearchOptions.model_fields, whole="body")
        raise RequestError(mistake.line, field=mistake.field) from None


def problem_of(request: ChatRequest, name: str, most: Limits | None = None) -> Problem:
    """The user's last message is the statement; the others are put above it. A follow-up keeps the task before it.

    Args:
        most: the server's limits of a test, which a request may lower; None: those of a problem file that gives none.

    Raises:
        RequestError: names the field: a wrong key of `mars2`, or a missing user message.
    """
    conversation = asked([Turn(message.role, message.content) for message in request.messages])
    if conversation is None:
        raise RequestError(
            "messages: none is the user's; the user's last message must be the problem", field="messages"
        )
    if not conversation.last.strip():
        raise RequestError("messages: the user's last message is empty; write the problem there", field="messages")
    options = request.mars2
    found = read_statement(conversation.task, options.entry_point)
    data: dict[str, Any] = {
        "id": name,
        "statement": conversation.text,
        "tests": {"public": options.tests or [_NO_TEST]},
        "entry_point": found.entry_point,
        "starter_code": found.starter_code if options.starter_code is None else options.starter_code,
        "limits": options.limits or {},
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
    problem = problem.with_limits(_bounded(problem.limits, options.limits or {}, most or Limits()))
    if options.tests:
        return problem
    is_given = options.comparison is not None or options.checker is not None
    comparison = problem.comparison if is_given else found.comparison
    return replace(problem, public_tests=found.tests, comparison=comparison)


def _bounded(wanted: Limits, given: Mapping[str, Any], most: Limits) -> Limits:
    """The limits that a request gives, and the server's for the rest.

    Raises:
        RequestError: one is higher than the server's.
    """
    named = {name: getattr(wanted, name) for name, value in given.items() if value is not None}
    for name, value in named.items():
        highest = most.effective_wall_s if name == "wall_s" else getattr(most, name)
        if value > highest:
            field = f"mars2.limits.{name}"
            raise RequestError(f"{field}: must be <= {highest:g} here, got {value:g}", field=field)
    return replace(most, **named)
