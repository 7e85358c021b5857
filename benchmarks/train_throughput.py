"""How fast the learner is: one update beside a plain forward+backward, and beside TRL's GRPOTrainer, on the same batch.

    python benchmarks/train_throughput.py                        # SmolLM2-135M's architecture, random weights; ~5 min
    python benchmarks/train_throughput.py --model FOLDER         # any causal language model
    python benchmarks/train_throughput.py --dtype bfloat16       # matrix products in bfloat16, weights in float32
    python benchmarks/train_throughput.py --variants learner trl # a choice

Every variant trains the same samples and runs in a process of its own, so that its peak memory is its own.
The bars: learner-unshared (no prompt is saved, only padding) at least 1.2 × trl, and at least 0.9 × plain;
plain-outputs, with no more logits than the learner's and no optimizer step, is the strictest reading of the second.
Prompts are shared by `--group` samples, as the first attempts of a tree share one; output lengths are log-normal.
Tokens are prompt + output tokens, counted once per sample whatever a variant saves. The best of `--repeats` counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mars2.config.objective import ClipObjectiveConfig
from mars2.config.optimizer import OptimizerConfig
from mars2.core.sample import TrainingSample
from mars2.learners.batching import MicroBatch, make_micro_batches
from mars2.learners.policy_model import Dtype
from mars2.learners.torch_learner import TorchLearner

VARIANTS = {
    "learner": "GSPO loss without KL, logits at output tokens, sorted micro-batches, common prompts computed once",
    "learner-unshared": "the same, but every sample computes its own prompt",
    "plain": "cross-entropy with logits at every position, in the micro-batches of learner-unshared",
    "plain-outputs": "the same, with logits at output tokens only, and without AdamW: nothing but forward and backward",
    "plain-padded": "plain, unsorted, --rows samples at a time",
    "trl": "GRPOTrainer's training_step, sequence-level ratio without KL, --rows samples a time, padded to the batch",
}  # all but plain-outputs: forward, backward, AdamW; learner and trl also clip gradients


def make_model(folder: Path) -> None:
    """SmolLM2-135M's architecture with random weights, and a tokenizer that is never used but must be there."""
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=49152,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            max_position_embeddings=8192,
            tie_word_embeddings=True,
        )
    ).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="b", pad_token="a").save_pretrained(folder)


def make_samples(num: int, group: int, seed: int, vocab_size: int) -> list[TrainingSample]:
    rng = np.random.default_rng(seed)
    samples: list[TrainingSample] = []
    prompt: tuple[int, ...] = ()
    for i in range(num):
        if i % group == 0:
            prompt = tuple(rng.integers(2, vocab_size, int(rng.integers(100, 250))).tolist())
        num_output = int(np.clip(rng.lognormal(np.log(100), 0.7), 10, 512))
        output = tuple(rng.integers(2, vocab_size, num_output).tolist())
        samples.append(
            TrainingSample(
                key=f"T{i // group}/{i % group}",
                tree_id=f"T{i // group}",
                node_id=i % group,
                agent="a",
                policy="p",
                policy_version=0,
                prompt_ids=prompt,
                output_ids=output,
                rollout_logprobs=(-10.0,) * num_output,
                reward=0.0,
                shaped=0.0,
                advantage=float(rng.normal()),
            )
        )
    return samples


def learner_update(
    folder: Path, samples: list[TrainingSample], max_tokens: int, dtype: Dtype, share: bool
) -> Callable[[], Any]:
    objective = ClipObjectiveConfig(kl_beta=0.0, tis_cap=None)
    learner = TorchLearner(
        "p",
        folder,
        objective=objective,
        optimizer=OptimizerConfig(micro_batch_tokens=max_tokens, dtype=dtype, share_prompts=share),
    )
    return lambda: learner.step(samples)


def plain_update(
    folder: Path, samples: list[TrainingSample], max_tokens: int, dtype: Dtype, rows: int | None, outputs_only: bool
) -> Callable[[], Any]:
    """Cross-entropy. `rows`: unsorted micro-batches of so many samples; None: the learner's own."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    device = torch.device("cpu")
    if rows is None:
        batches = make_micro_batches(samples, range(len(samples)), max_tokens=max_tokens, device=device)
    else:
        batches = [
            make_micro_batches(samples, range(i, min(i + rows, len(samples))), max_tokens=10**9, device=device)[0]
            for i in range(0, len(samples), rows)
        ]

    def loss(batch: MicroBatch) -> torch.Tensor:
        if outputs_only:
            hidden = model.base_model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
            return cross_entropy(model.lm_head(hidden.flatten(0, 1)[batch.positions]), batch.targets)
        logits = model(input_ids=batch.input_ids, use_cache=False).logits
        return cross_entropy(logits.flatten(0, 1), batch.input_ids.flatten())

    def update() -> None:
        for batch in batches:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
                part = loss(batch)
            part.backward()
        if not outputs_only:
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return update


def trl_update(folder: Path, samples: list[TrainingSample], dtype: Dtype, rows: int) -> Callable[[], Any]:
    """TRL's own training steps on this batch in place of a generated one: micro-batches of `rows` samples."""
    import datasets
    import trl

    steps = len(samples) // rows
    trainer: Any = trl.GRPOTrainer(
        model=str(folder),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        train_dataset=datasets.Dataset.from_dict({"prompt": ["a", "b"]}),
        args=trl.GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            use_cpu=True,
            bf16=dtype == "bfloat16",
            gradient_checkpointing=False,
            report_to=[],
            per_device_train_batch_size=rows,
            gradient_accumulation_steps=steps,
            num_generations=rows,
            beta=0.0,
            importance_sampling_level="sequence",
            loss_type="grpo",
            model_init_kwargs={"dtype": "float32"},
        ),
    )

    def padded(sequences: list[tuple[int, ...]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(map(len, sequences))
        ids = torch.zeros(len(sequences), width, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(sequences):
            place = slice(width - len(row), width) if left else slice(0, len(row))
            ids[i, place], mask[i, place] = torch.tensor(row), 1
        return ids, mask

    prompt_ids, prompt_mask = padded([s.prompt_ids for s in samples], left=True)
    completion_ids, completion_mask = padded([s.output_ids for s in samples], left=False)
    batch = {
        "prompt_ids": prompt_ids,
        "prompt_mask": prompt_mask,
        "completion_ids": completion_ids,
        "completion_mask": completion_mask,
        "advantages": torch.tensor([s.advantage for s in samples]),
        "num_items_in_batch": completion_mask.sum(),
    }
    trainer._generate_and_score_completions = lambda _: dict(batch)
    trainer.current_gradient_accumulation_steps = steps
    optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=1e-6, fused=True)

    def update() -> None:
        for _ in range(steps):
            trainer.training_step(trainer.model, [], None)
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return update


def measure(variant: str, options: argparse.Namespace) -> dict[str, float]:
    """Best wall and CPU seconds of an update, and peak memory, of one variant in this process."""
    torch.set_num_threads(options.threads)
    folder = Path(options.model)
    vocab_size = json.loads((folder / "config.json").read_text())["vocab_size"]
    samples = make_samples(options.samples, options.group, options.seed, vocab_size)
    match variant:
        case "learner" | "learner-unshared":
            share = variant == "learner"
            update = learner_update(folder, samples, options.micro_batch_tokens, options.dtype, share)
        case "plain" | "plain-outputs" | "plain-padded":
            rows = options.rows if variant == "plain-padded" else None
            outputs_only = variant == "plain-outputs"
            update = plain_update(folder, samples, options.micro_batch_tokens, options.dtype, rows, outputs_only)
        case _:
            update = trl_update(folder, samples, options.dtype, options.rows)
    if options.warm_up:
        update()  # allocations, optimizer state
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(options.repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        update()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "wall_s": min(walls),
        "cpu_s": min(cpus),
        "tokens": sum(len(s.prompt_ids) + len(s.output_ids) for s in samples),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Hugging Face folder; default: SmolLM2-135M's architecture, random weights")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=[v for v in VARIANTS if v != "plain-padded"])
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--group", type=int, default=4, help="samples with the same prompt")
    parser.add_argument("--rows", type=int, default=4, help="samples in a micro-batch of trl and plain-padded")
    parser.add_argument("--micro-batch-tokens", type=int, default=2048)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="of the matrix products")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--warm-up", type=int, choices=[0, 1], default=1, help="an update before those measured")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    parser.add_argument("--one", choices=VARIANTS, help=argparse.SUPPRESS)  # a child process: measure, print JSON
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options)))
        return
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if options.model is None:
            make_model(Path(scratch))
        shared = ["samples", "group", "rows", "micro_batch_tokens", "dtype", "repeats", "warm_up", "threads", "seed"]
        arguments = [a for name in shared for a in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
        arguments += ["--model", options.model or scratch]
        for variant in options.variants:
            child = subprocess.run(
                [sys.executable, __file__, "--one", variant, *arguments], capture_output=True, text=True
            )
            if child.returncode:
                print(f"{variant:18}failed: {(child.stderr.strip().splitlines() or ['?'])[-1]}")
                continue
            figures[variant] = json.loads(child.stdout.strip().splitlines()[-1])
            print(f"{variant} …: CPU {figures[variant]['cpu_s']:.2f} s", file=sys.stderr)
    others = ("plain", "plain-outputs", "trl")
    of = "".join(f"{'× ' + other:>16}" for other in others)
    print(f"{'variant':18}{'tokens/s':>10}{'wall s':>9}{'cpu s':>9}{'peak MiB':>10}{of}   (by CPU time)")
    for variant, figure in figures.items():
        ratios = "".join(
            f"{figures[other]['cpu_s'] / figure['cpu_s']:16.2f}" if other in figures else f"{'–':>16}"
            for other in others
        )
        print(
            f"{variant:18}{figure['tokens'] / figure['wall_s']:10.0f}{figure['wall_s']:9.2f}{figure['cpu_s']:9.2f}"
            f"{figure['peak_mib']:10.0f}{ratios}"
        )
    spread = make_samples(options.samples, options.group, options.seed, vocab_size=1000)
    lengths = sorted(len(s.prompt_ids) + len(s.output_ids) for s in spread)
    print(f"\n{len(lengths)} samples, {options.group} to a prompt, {sum(lengths)} tokens, lengths {lengths}")
    cut = f"{options.micro_batch_tokens} tokens or {options.rows} rows"
    print(f"{options.dtype}, {options.threads} threads, micro-batches: {cut}")
    for variant in figures:
        print(f"{variant}: {VARIANTS[variant]}")
    if options.out:
        options.out.write_text(
            json.dumps({"threads": options.threads, "dtype": options.dtype, "figures": figures}, indent=2)
        )


if __name__ == "__main__":
    main()
