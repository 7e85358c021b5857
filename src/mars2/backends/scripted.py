"""Answers from a script instead of a model: for tests, documentation and dry runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError
from mars2.core.explain import Place, explain
from mars2.core.protocols import Snapshot
from mars2.core.seeds import stream

Answer = Callable[[Prompt, Sampling], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Where `pattern` is found in the last message, answer one of `answers`, chosen by the request's seed."""

    pattern: re.Pattern[str]
    answers: tuple[str, ...]
    latency_s: float = 0.0
    fail: float = 0.0  # share of calls, picked by the request's seed, that raise BackendError instead


class ScriptedBackend:
    """A backend whose answers are a function of prompt and seed, so that order and timing change nothing.

    Token ids are the answer's UTF-8 bytes; log-probabilities are 0 (each answer was certain).
    """

    def __init__(self, policy: str, rules: Sequence[Rule]) -> None:
        self.policy = policy
        self.rules = tuple(rules)
        self._version = 0

    @property
    def version(self) -> int:
        return self._version

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        last = prompt[-1].content
        rule = next((r for r in self.rules if r.pattern.search(last)), None)
        if rule is None:
            raise BackendError(f"policy {self.policy!r}: no rule of the script matches the prompt {last[:80]!r}")
        version = self._version
        await asyncio.sleep(rule.latency_s)
        if rule.fail and stream(sampling.seed or 0, "fail").random() < rule.fail:
            raise BackendError(f"policy {self.policy!r}: the script says to fail on {rule.pattern.pattern!r}")
        text = rule.answers[(sampling.seed or 0) % len(rule.answers)]
        prompt_ids = tuple("".join(m.content for m in prompt).encode("utf-8", "surrogatepass"))
        output_ids = tuple(text.encode("utf-8", "surrogatepass"))
        is_cut = len(output_ids) > sampling.max_tokens
        output_ids = output_ids[: sampling.max_tokens]
        return Completion(
            text=bytes(output_ids).decode("utf-8", "replace") if is_cut else text,
            finish_reason="length" if is_cut else "stop",
            policy=self.policy,
            policy_version=version,
            prompt_ids=prompt_ids,
            output_ids=output_ids,
            logprobs=(0.0,) * len(output_ids),
            prompt_tokens=len(prompt_ids),
            output_tokens=len(output_ids),
        )

    def count_tokens(self, prompt: Prompt) -> int:
        return sum(len(m.content.encode("utf-8", "surrogatepass")) for m in prompt)

    async def load(self, snapshot: Snapshot) -> None:
        self._version = snapshot.version

    async def close(self) -> None:
        pass


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    match: str = ""
    answers: list[str] = Field(min_length=1)
    latency_s: float = Field(default=0.0, ge=0)
    fail: float = Field(default=0.0, ge=0, le=1)  # true: every call


class _ScriptFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[_RuleFile] = Field(min_length=1)


def _keys(place: Place) -> Collection[str]:
    return (_RuleFile if place else _ScriptFile).model_fields


def load_script(path: Path) -> list[Rule]:
    """Read rules from YAML: ``rules: [{match: REGEX, answers: [TEXT, …], latency_s: 0, fail: 0.0}, …]``.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    if not path.is_file():
        raise ConfigError(f"policies.*.script: no such file: {path}; give the path of a YAML file with rules")
    data: Any = None
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        script = _ScriptFile.model_validate(data)
        return [Rule(re.compile(r.match), tuple(r.answers), r.latency_s, r.fail) for r in script.rules]
    except ValidationError as error:
        reason = explain(error.errors(include_url=False), data, _keys, whole="script").line
    except (yaml.YAMLError, re.error) as error:
        reason = " ".join(str(error).split())
    raise ConfigError(f"policies.*.script: {path}: {reason}")
