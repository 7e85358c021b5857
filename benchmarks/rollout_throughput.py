"""Rollouts with a real model in a vLLM engine: what the loop around it costs, and how far engine and trainer agree.

    python benchmarks/rollout_throughput.py FOLDER            # for example of Qwen2.5-Coder-0.5B-Instruct
    python benchmarks/rollout_throughput.py FOLDER --no-step  # without the training step, which takes 16 bytes a weight

Three figures, all with one engine:

1. throughput: output tokens per second while trees of HumanEval problems grow as in `mars2 evaluate` (search, prompts,
   parsing, judging, every event in a store), divided by that of the same engine given the same prompts, sampling and
   seeds directly, all at once. Both start with an empty prefix cache, after a warm-up.
2. gap: mean |log-prob difference| per output token between the engine, as it sampled, and the trainer.
3. step: the trainer makes one step on some of these samples and loads the weights into the engine. By how much did the
   log-probs of the samples' tokens change in the trainer, by how much in the engine (scoring the same tokens before and
   after)? Slope of a straight line through the origin, correlation, and mean |difference| of the two changes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mars2 import build
from mars2.backends.vllm_engine import VllmBackend
from mars2.config.load import parse_config
from mars2.config.optimizer import OptimizerConfig
from mars2.core.completion import Completion, Message, Prompt, Sampling
from mars2.core.sample import TrainingSample
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore

Request = tuple[Prompt, Sampling]


async def evaluate(config: Any, team: Any, folder: Path) -> None:
    """As `mars2 evaluate` does, with an engine that is warm already."""
    problems = build.build_problems_to_measure(config)
    with RunStore.create(folder, config=config.as_dict()) as store:
        evaluation = build.build_evaluation(config, team, problems, build.build_memory(store, Recorder(store)))
        await replace(evaluation, seeds=1, lockstep=False).run()


def record(backend: VllmBackend) -> tuple[list[Request], list[Completion]]:
    """What is asked of `backend` from now on, and what it answers."""
    requests: list[Request] = []
    answers: list[Completion] = []
    generate = backend.generate

    async def recorded(prompt: Prompt, sampling: Sampling) -> Completion:
        requests.append((prompt, sampling))
        answers.append(await generate(prompt, sampling))
        return answers[-1]

    backend.generate = recorded  # type: ignore[method-assign]
    return requests, answers


async def throughput(
    config: Any, team: Any, backend: VllmBackend, folder: Path
) -> tuple[dict[str, Any], list[Completion]]:
    await asyncio.gather(
        *(backend.generate((Message("user", f"Count to {i}."),), Sampling(max_tokens=16)) for i in range(8))
    )
    direct = backend.generate
    requests, answers = record(backend)
    row: dict[str, Any] = {}
    await backend._engine.reset_prefix_cache()
    for name, work in (
        ("evaluate", lambda: evaluate(config, team, folder)),
        ("direct", lambda: asyncio.gather(*(direct(*request) for request in requests))),
    ):
        await backend._engine.reset_prefix_cache()
        prompts, cached = backend.num_prompt_tokens, backend.num_cached_tokens
        started = time.perf_counter()
        found = await work()
        seconds = time.perf_counter() - started
        tokens = sum(c.output_tokens for c in (found or answers))
        cached_part = (backend.num_cached_tokens - cached) / (backend.num_prompt_tokens - prompts)
        row[name] = {"seconds": seconds, "tokens": tokens, "tokens_per_s": tokens / seconds, "cached": cached_part}
    row["requests"] = len(requests)
    row["ratio"] = row["evaluate"]["tokens_per_s"] / row["direct"]["tokens_per_s"]
    return row, answers


def training_samples(completions: Sequence[Completion]) -> list[TrainingSample]:
    """Half of them are to become more likely, half less."""
    return [
        TrainingSample(
            key=f"benchmark/{i}",
            tree_id="benchmark",
            node_id=i,
            agent="a",
            policy="a",
            policy_version=c.policy_version,
            prompt_ids=c.prompt_ids,
            output_ids=c.output_ids,
            rollout_logprobs=c.logprobs,
            reward=float(i % 2),
            shaped=float(i % 2),
            advantage=1.0 if i % 2 else -1.0,
        )
        for i, c in enumerate(completions)
    ]


async def engine_logprobs(backend: VllmBackend, samples: Sequence[TrainingSample], label: str) -> np.ndarray:
    """The engine's log-probs of the samples' output tokens, one after the other."""
    from vllm import SamplingParams

    async def of(i: int, sample: TrainingSample) -> list[float]:
        ids = [*sample.prompt_ids, *sample.output_ids]
        parameters = SamplingParams(max_tokens=1, prompt_logprobs=0)
        async for output in backend._engine.generate({"prompt_token_ids": ids}, parameters, f"score-{label}-{i}"):
            places = output.prompt_logprobs[len(sample.prompt_ids) :]
        return [place[token].logprob for place, token in zip(places, sample.output_ids, strict=True)]

    return np.concatenate(await asyncio.gather(*(of(i, s) for i, s in enumerate(samples))))


async def agreement(
    backend: VllmBackend, model: str, completions: Sequence[Completion], learning_rate: float
) -> dict[str, Any]:
    from mars2.config.objective import ClipObjectiveConfig
    from mars2.learners.torch_learner import TorchLearner

    samples = training_samples(completions)
    learner = TorchLearner(
        "a", model, objective=ClipObjectiveConfig(kl_beta=0.0), optimizer=OptimizerConfig(learning_rate=learning_rate)
    )

    def own() -> np.ndarray:
        return np.concatenate([row.float().numpy() for row in learner._old_logprobs(samples)])

    engine_before, own_before = await engine_logprobs(backend, samples, "before"), own()
    metrics = learner.step(samples)
    await backend.load(learner.snapshot())
    engine_after, own_after = await engine_logprobs(backend, samples, "after"), own()
    in_engine, predicted = engine_after - engine_before, own_after - own_before
    again = [await backend.generate((Message("user", "Count to 3."),), Sampling(max_tokens=4))]
    return {
        "gap": metrics["logprob_gap"],
        "tis_weight_mean": metrics["tis_weight_mean"],
        "tokens": len(predicted),
        "predicted_change": float(np.abs(predicted).mean()),
        "engine_change": float(np.abs(in_engine).mean()),
        "slope": float(predicted @ in_engine / (predicted @ predicted)),
        "correlation": float(np.corrcoef(predicted, in_engine)[0, 1]),
        "difference": float(np.abs(in_engine - predicted).mean()),
        "gap_after": float(np.abs(engine_after - own_after).mean()),
        "version_after": again[0].policy_version,
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    config = parse_config(
        {
            "name": "rollout-throughput",
            "problems": {"kind": "reference", "test": "humaneval"},
            "policies": {
                "a": {
                    "backend": "vllm",
                    "model": options.model,
                    "dtype": options.dtype,
                    "max_model_len": 2048,
                    "max_num_seqs": options.slots,
                    "engine": {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 30},
                }
            },
            "agents": {"a": {"policy": "a"}},
            "sampling": {"max_tokens": options.max_tokens},
            "search": {"strategy": options.strategy},
            "rollout": {
                "lockstep": False,
                "max_nodes": options.budget,
                "trees_in_flight": options.problems,
                "expansions_in_flight": options.in_flight,
            },
            "evaluation": {"num_problems": options.problems},
        },
        (),
    )
    team = build.build_team(config, {"a": options.model})
    backend = team.backends["a"]
    assert isinstance(backend, VllmBackend)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found, completions = await throughput(config, team, backend, Path(folder) / "run")
        if options.step:
            found["agreement"] = await agreement(
                backend, options.model, completions[: options.samples], options.learning_rate
            )
    finally:
        await team.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder or Hugging Face id")
    parser.add_argument("--dtype", default="bfloat16", help="of the engine; the trainer computes in float32")
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--budget", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=4, help="expansions under way in each tree")
    parser.add_argument("--slots", type=int, default=32, help="sequences that the engine generates together")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--strategy", default="ab_mcts")
    parser.add_argument("--samples", type=int, default=16, help="completions that the training step learns from")
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    parser.add_argument("--step", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name in ("evaluate", "direct"):
        row = found[name]
        print(
            f"{name:9} {row['tokens']} tokens in {row['seconds']:.1f} s: {row['tokens_per_s']:.1f} tokens/s, "
            f"{100 * row['cached']:.0f}% of prompt tokens from the prefix cache"
        )
    print(f"ratio     {found['ratio']:.3f} ({found['requests']} requests)")
    if "agreement" in found:
        for name, value in found["agreement"].items():
            print(f"{name:18} {value:.4g}")


if __name__ == "__main__":
    main()
