"""The border of the endpoint: what a request may say, checked, and the problem that it stands for."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mars2.core.errors import ProblemError, UserError
from mars2.core.problem import Problem
from mars2.problems.schema import problem_from_data
from mars2.problems.statement import read_statement

REFUSED = {
    "tools": "tools are not called",
    "functions": "functions are not called",
    "logprobs": "log-probabilities are not given",
    "stop": "stop sequences are not kept",
}
"""Fields whose silent neglect would mislead a client, and why they are refused. Other unknown fields are ignored."""


class RequestError(UserError):
    """A request that cannot be answered as it is."""

    def __init__(self, message: str, *, field: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class SearchOptions(BaseModel):
    """The extension field `mars2`: the tests, and how to search."""

    model_config = ConfigDict(extra="forbid")

    tests: list[Any] | None = None  # as `tests.public` of a problem file; None: the statement's examples
    entry_point: str | None = None
    starter_code: str | None = None
    comparison: str | None = None
    checker: str | None = None
    limits: dict[str, Any] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None  # programs; None: the server's
    seconds: Annotated[float, Field(gt=0)] | None = None
    progress: Literal["none", "reasoning", "content"] = "none"  # in a stream: as reasoning deltas, in the text, not


class ChatRequest(BaseModel):
    """What is read of a chat completion request."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    n: Literal[1] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    mars2: SearchOptions = SearchOptions()

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
        raise RequestError(f"{field}: {fault['msg']}", field=field) from None


def problem_of(request: ChatRequest, name: str) -> Problem:
    """The last user message is the statement; what came before it is put above it.

    Raises:
        RequestError: tests that are none, or no user message.
    """
    *earlier, last = request.messages
    if last.role != "user":
        raise RequestError("messages: the last message must be the user's, with the problem", field="messages")
    statement = "\n\n".join(filter(None, (*(message.text for message in earlier), last.text)))
    options = request.mars2
    if not last.text.strip():
        raise RequestError("messages: the last message is empty; write the problem there", field="messages")
    found = read_statement(last.text, options.entry_point)
    limits, comparison, checker = options.limits or {}, options.comparison, options.checker
    given: dict[str, Any] = {"comparison": comparison} if comparison is not None else {}
    if checker is not None:
        given["checker"] = checker
    if options.tests is None and not found.tests:
        return Problem(name, statement, (), (), found.entry_point, _starter(options, found.starter_code))
    data = {
        "id": name,
        "statement": statement,
        "tests": {"public": options.tests or [{"input": "", "output": ""}]},
        "limits": limits,
        "starter_code": _starter(options, found.starter_code),
        **given,
    }
    if found.entry_point is not None:
        data["entry_point"] = found.entry_point
    try:
        problem = problem_from_data(data, "mars2")
    except ProblemError as error:
        raise RequestError(str(error), field="mars2") from None
    if options.tests is None:
        return Problem(
            problem.id,
            problem.statement,
            found.tests,
            (),
            problem.entry_point,
            problem.starter_code,
            problem.limits,
            problem.comparison,
        )
    return problem


def _starter(options: SearchOptions, found: str) -> str:
    return found if options.starter_code is None else options.starter_code
