"""Models named on the command line."""

from __future__ import annotations

import pytest

from mars2.config.policies import model_name, parse_model
from mars2.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "policy", "name"),
    [
        ("models/qwen", {"backend": "transformers", "model": "models/qwen"}, "qwen"),
        ("Qwen/Coder-0.5B", {"backend": "transformers", "model": "Qwen/Coder-0.5B"}, "Coder-0.5B"),
        ("vllm:a/b/", {"backend": "vllm", "model": "a/b/"}, "b"),
        ("openai:gpt-5", {"backend": "openai", "model": "gpt-5"}, "gpt-5"),
        (
            "openai:org/m:free@https://openrouter.ai/api/v1",
            {"backend": "openai", "model": "org/m:free", "base_url": "https://openrouter.ai/api/v1"},
            "m-free",
        ),
        ("openai:a@b", {"backend": "openai", "model": "a@b"}, "a-b"),
        (
            "vllm-server:m@http://127.0.0.1:8000/v1",
            {"backend": "vllm-server", "model": "m", "base_url": "http://127.0.0.1:8000/v1"},
            "m",
        ),
        ("scripted:x/s.yaml", {"backend": "scripted", "script": "x/s.yaml"}, "s.yaml"),
    ],
)
def test_a_model_becomes_a_policy(text: str, policy: dict[str, str], name: str) -> None:
    parsed = parse_model(text)
    assert policy.items() <= parsed.as_dict().items()
    assert model_name(parsed) == name


@pytest.mark.parametrize("text", ["openai:", "vllm-server:m", "vllm:", "openai:@http://x/v1"])
def test_half_a_model_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--agents"):
        parse_model(text)
