"""A model named on the command line → the configuration of its policy.

FOLDER or ORG/MODEL          weights run by transformers
vllm:FOLDER                  weights run by a vLLM engine
vllm-server:MODEL@URL        a model behind an external `vllm serve`
openai:MODEL[@URL]           a model behind any OpenAI-compatible endpoint
scripted:FILE                answers read from a file
"""

from __future__ import annotations

import re
from typing import Any

from mars2.core.errors import ConfigError

_BACKENDS = ("transformers", "vllm", "vllm-server", "openai", "scripted")


def parse_model(text: str) -> dict[str, Any]:
    """The policy section that `text` stands for.

    Raises:
        ConfigError: a server without an address, or an address without a model.
    """
    backend, colon, rest = text.partition(":")
    if not colon or backend not in _BACKENDS:
        backend, rest = "transformers", text
    if not rest:
        raise ConfigError(f"--agents: {text!r} names no model; write {backend}:MODEL")
    match backend:
        case "openai" | "vllm-server":
            model, at, url = rest.rpartition("@")
            if not at or "://" not in url:
                model, url = rest, ""
            if not model:
                raise ConfigError(f"--agents: {text!r} names no model; write {backend}:MODEL@{url}")
            if backend == "vllm-server" and not url:
                raise ConfigError(f"--agents: {text!r} has no address; write vllm-server:MODEL@http://HOST:PORT/v1")
            return {"backend": backend, "model": model} | ({"base_url": url} if url else {})
        case "scripted":
            return {"backend": backend, "script": rest}
        case _:
            return {"backend": backend, "model": rest}


def model_name(policy: dict[str, Any]) -> str:
    """A short name for an agent on this policy: the last part of its model's path."""
    path = str(policy.get("model") or policy.get("script")).rstrip("/")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.rsplit("/", 1)[-1]).strip("-") or "model"
