"""What servers of every make answer is a right completion, or one clear line that says why it is none."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest

from mars2.backends.chat_answers import ChatAnswer, NoAnswer, decode, read_answer, said

PROGRAM = "def f(x): return 1"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def reply(reason: Any = "stop", **message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": PROGRAM} | message
    return {"choices": [{"index": 0, "finish_reason": reason, "message": message}], "usage": USAGE}


def read(data: Any, *, max_tokens: int = 100) -> ChatAnswer:
    return read_answer(data, max_tokens=max_tokens)


@pytest.mark.parametrize(
    ("wanted", "reasons"),
    [
        (
            "stop",
            "stop STOP end_turn stop_sequence eos eos_token COMPLETE completed done eot_id finished stopStringFound "
            "eosFound tool_calls tool_use function_call FinishReason.STOP FINISH_REASON_STOP",
        ),
        (
            "length",
            "length max_tokens MAX_TOKENS max_output_tokens max_length model_length model_context_window_exceeded "
            "maxPredictedTokensReached contextLengthReached token_limit truncated incomplete max-tokens repetition",
        ),
        (
            "failed call: gave the answer up",
            "error ERROR insufficient_system_resource network_error abort aborted cancelled timeout timed_out "
            "MALFORMED_FUNCTION_CALL overloaded OTHER unknown userStopped modelUnloaded load pause_turn rate_limit "
            "server_error ERROR_LIMIT",
        ),
        (
            "failed call: filtered the answer",
            "content_filter content-filter sensitive SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII refusal "
            "content_filtered guardrail_intervened stop:content_filter",
        ),
    ],
)
def test_a_finish_reason_says_whether_the_answer_is_whole_cut_filtered_or_lost(wanted: str, reasons: str) -> None:
    found: dict[str, str] = {}
    for reason in reasons.split():
        try:
            found[reason] = read(reply(reason)).finish_reason
        except NoAnswer as error:
            found[reason] = "failed call: " + str(error).replace(f" (finish_reason {reason})", "")
    assert found == dict.fromkeys(found, wanted)


@pytest.mark.parametrize(
    ("reason", "max_tokens", "wanted"),
    [(None, 100, "stop"), (None, 3, "length"), ("", 100, "stop"), ("stop", 3, "stop")],
)
def test_an_end_without_a_reason_is_cut_where_the_tokens_are_used_up(
    reason: str | None, max_tokens: int, wanted: str
) -> None:
    assert read(reply(reason), max_tokens=max_tokens).finish_reason == wanted


def test_a_reason_may_be_an_object() -> None:
    assert read(reply({"type": "length", "length": 3})).finish_reason == "length"


@pytest.mark.parametrize(
    "content",
    [
        PROGRAM,
        [{"type": "text", "text": PROGRAM}],
        [{"type": "output_text", "text": PROGRAM, "annotations": []}],
        [{"type": "text", "text": {"value": PROGRAM, "annotations": []}}],
        [{"text": PROGRAM}],
        [PROGRAM[:5], PROGRAM[5:]],
        {"type": "text", "text": PROGRAM},
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": PROGRAM}],
        [{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": PROGRAM}],
        [{"type": "text", "text": PROGRAM[:5]}, {"type": "image_url"}, {"type": "text", "text": PROGRAM[5:]}],
    ],
)
def test_a_content_is_text_or_parts(content: Any) -> None:
    assert read(reply(content=content)).text == PROGRAM


@pytest.mark.parametrize("content", [None, "", [], [{"type": "thinking", "thinking": "hm"}]])
def test_an_answer_may_be_empty(content: Any) -> None:
    assert read(reply("length", content=content, reasoning_content="hm")).text == ""


@pytest.mark.parametrize("content", [5, True, {"text": "x"}, [1], [None], [{"type": "text", "text": 5}]])
def test_a_content_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(NoAnswer, match="content is no text"):
        read(reply(content=content))


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, (7, 3)),
        ({"input_tokens": 7, "output_tokens": 3}, (7, 3)),
        ({"prompt_tokens": None, "completion_tokens": 3}, (None, 3)),
        (None, (None, None)),
        ([], (None, None)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None)),
    ],
)
def test_tokens_are_counted_by_either_name(usage: Any, counts: tuple[int | None, int | None]) -> None:
    found = read(reply() | {"usage": usage})
    assert (found.prompt_tokens, found.output_tokens) == counts


CALL = {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "x", "arguments": "{}"}}]}
PART = {"type": "refusal", "refusal": "I will not"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (reply("tool_calls", **CALL), "called a tool that it was not offered"),
        (reply("function_call", content="", function_call={"name": "x"}), "called a tool"),
        (reply(content=None, refusal="I will not"), "refused to answer: I will not"),
        (reply(content=[PART]), "refused to answer: I will not"),
        ({"choices": [{"finish_reason": "content_filter", "content_filter_results": {}}]}, "filtered the answer"),
        (
            {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "gone"}, "message": {}}]},
            r"gave the answer up \(finish_reason error\): gone",
        ),
        ({"choices": [{"error": {"message": "gone"}, "message": {"content": "def"}}]}, "gave the answer up .*: gone"),
        (reply() | {"error": {"message": "late"}}, "answered with an error: late"),
        ({"error": "model is loading"}, "answered with an error: model is loading"),
        (
            {"error": {"type": "overloaded_error", "message": "Overloaded"}, "type": "error"},
            "with an error: Overloaded",
        ),
        ({"choices": []}, "no choices"),
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no balance"}}, "no balance"),
        ({"choices": [{"index": 0, "text": "def"}]}, r"no choices\[0\].message"),
        ([{"error": {"code": 400, "message": "bad key"}}], "bad key"),
        ({"object": "error", "message": "context too long", "code": 40303}, "context too long"),
        ({"detail": [{"loc": ["body", "model"], "msg": "field required"}]}, "field required"),
    ],
)
def test_what_is_no_answer_says_why(data: Any, words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        read(data)


def test_text_beside_a_tool_call_is_the_answer() -> None:
    assert read(reply("tool_calls", **CALL | {"content": PROGRAM})).text == PROGRAM


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "slow down"}}', "slow down"),
        ('{"error": "slow down"}', "slow down"),
        ('{"error": true, "message": "slow down"}', "slow down"),
        ('{"errors": [{"code": 7003, "message": "slow down"}], "success": false}', "slow down"),
        ('{"detail": "slow down"}', "slow down"),
        ('{"message": "slow down"}', "slow down"),
        ('[{"error": {"message": "slow down"}}]', "slow down"),
        (
            '{"error": {"message": "Provider error", "metadata": {"raw": "{\\"message\\": \\"slow\\"}"}}}',
            "Provider error: slow",
        ),
        ('{"error": {"code": 5}}', '{"error": {"code": 5}}'),
        ("slow down", "slow down"),
        (
            "<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>h1 { x }</style></head>"
            "<body><script>var a = '<p>';</script><p>nginx &amp; co</p></body></html>",
            "502 Bad Gateway nginx & co",
        ),
        ("[" * 100_000, "[" * 100_000),
        ("null", "null"),
    ],
)
def test_an_error_of_any_form_is_told_in_its_own_words(body: str, words: str) -> None:
    assert said(body) == words


def stream(*chunks: Any, end: str = "data: [DONE]\n\n", gap: str = "\n\n") -> bytes:
    return "".join([*(f"data: {json.dumps(chunk)}{gap}" for chunk in chunks), end]).encode()


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


PIECES = [delta(role="assistant", content=""), delta(reasoning_content="hm"), delta(content=PROGRAM[:7])]


@pytest.mark.parametrize(
    "body",
    [
        stream(*PIECES, delta("length", content=PROGRAM[7:]), {"choices": [], "usage": USAGE}),
        stream(*PIECES, delta("length", content=PROGRAM[7:]) | {"usage": USAGE}, gap="\n"),
        stream(*PIECES, delta("length", content=PROGRAM[7:]) | {"usage": USAGE}, gap="\r\n\r\n", end=""),
        b": OPENROUTER PROCESSING\n\n" + stream(*PIECES, delta("length", content=PROGRAM[7:]) | {"usage": USAGE}),
        b"event: message\n"
        + stream({"choices": [{"message": {"content": PROGRAM}, "finish_reason": "length"}]} | {"usage": USAGE}),
        b"\n \n" + json.dumps(reply("length")).encode(),
        b"\xef\xbb\xbf" + json.dumps(reply("length")).encode(),
    ],
)
def test_a_stream_that_nobody_asked_for_is_put_together(body: bytes) -> None:
    found = read(decode(body))
    assert (found.text, found.finish_reason, found.output_tokens) == (PROGRAM, "length", 3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (stream(*PIECES, end=""), "breaks off"),
        (stream(*PIECES, {"error": {"message": "gone"}}), "answered with an error: gone"),
        (b'event: error\ndata: {"type": "error", "error": {"message": "Overloaded"}}\n\n', "error: Overloaded"),
        (stream(*PIECES, {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "x"}}]}), ": x$"),
        (b"data: {broken\n\n", "not JSON"),
        (stream(5), "error"),
        (b"<html><title>Sign in</title>", r"HTML page; check base_url, .*: Sign in"),
        (b'{"choices": ', "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_a_body_that_is_no_whole_answer_says_why(body: bytes, words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        read(decode(body))


def test_nothing_that_a_server_may_send_ends_in_another_error() -> None:
    rng = random.Random(0)
    values = [None, "", "x", 0, -1, 5.5, True, [], {}, "stop", "error", [1], {"type": "text", "text": "x"}, [[]], [{}]]
    names = ["choices", "message", "content", "finish_reason", "usage", "error", "delta", "refusal", "metadata", "raw"]

    def junk(depth: int) -> Any:
        match rng.randrange(4) if depth else 0:
            case 1:
                return {rng.choice(names): junk(depth - 1) for _ in range(3)}
            case 2:
                return [junk(depth - 1) for _ in range(2)]
            case _:
                return rng.choice(values)

    for _ in range(5000):
        data = {name: junk(4) for name in names[:6]} | {"choices": [{name: junk(3) for name in names}]}
        body = rng.choice([json.dumps(data).encode(), stream(data, data)])
        with contextlib.suppress(NoAnswer):
            assert isinstance(read(decode(body)).text, str)
