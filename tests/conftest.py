"""Shared by all tests: suites that were installed for may not be skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Property tests draw the same examples every time, so that a change is not refused for what it did not touch.
# To look for new ones: MARS2_HYPOTHESIS=default python -m pytest …
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("MARS2_HYPOTHESIS", "repeatable"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """With MARS2_REQUIRE_SUITES set (as in `.ci/run`), a skip is a failure: what was installed for must run."""
    report = yield
    if os.environ.get("MARS2_REQUIRE_SUITES") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although everything it needs was installed: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """The same for a whole file that is skipped while it is collected."""
    report = yield
    if os.environ.get("MARS2_REQUIRE_SUITES") and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped although everything it needs was installed: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a random two-layer Llama with the lab's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mars2.lab.tokenizer import build_tokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=1,  # of 32 dimensions: the least that vLLM takes on a CPU
        max_position_embeddings=256,
        initializer_range=0.3,  # large enough that different prompts give different answers
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
