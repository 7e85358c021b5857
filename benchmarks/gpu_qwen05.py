"""Heter-MARS2 with two Qwen2.5-Coder-0.5B policies on MBPP-train, on one GPU: once with LoRA, once with all weights.

    python benchmarks/gpu_qwen05.py --mbpp mbpp_train.jsonl                        # both, 60 steps each
    python benchmarks/gpu_qwen05.py --mbpp mbpp_train.jsonl --variants lora --steps 20 --model FOLDER

Prints pass rate by step, tokens/s generated and learned, MFU of the learner, and peak GPU memory; the runs themselves
are ordinary ones (`runs/gpu_qwen05_*`) with a report. Without a CUDA GPU it says so and stops. What it does, and that
it has not been run yet: benchmarks/gpu_qwen05.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from mars2.config.load import parse_config
from mars2.store.run_store import RunStore

VARIANTS = ["lora", "full"]
MODEL = "Qwen/Qwen2.5-Coder-0.5B-Instruct"
POLICIES = ("first", "second")


def config_of(variant: str, *, model: str, mbpp: Path, steps: int) -> dict[str, Any]:
    """The run's configuration. Both policies start from the same weights and grow apart."""
    is_lora = variant == "lora"
    policy = {"backend": "transformers", "model": model, "device": "cuda", "dtype": "bfloat16", "max_batch": 256}
    if is_lora:
        policy["lora"] = {"rank": 32, "alpha": 64}
    return {
        "name": f"gpu_qwen05_{variant}",
        "seed": 0,
        "problems": {"kind": "reference", "train": f"mbpp:{mbpp}", "test": "humaneval"},
        "policies": dict.fromkeys(POLICIES, policy),
        "agents": {name: {"policy": name} for name in POLICIES},
        "prompting": {"style": "chat"},
        "sampling": {"temperature": 1.0, "max_tokens": 512},
        "search": {"strategy": "ab_mcts"},
        "rollout": {"max_nodes": 8, "trees_in_flight": 32},
        "sandbox": {"workers": 8},
        "training": {
            "steps": steps,
            "trees_per_round": 32,
            "batch_samples": 128,
            "reward": {"kind": "binary", "overlong_buffer": 64},
            "objective": {"kl_beta": 1e-3},
            "optimizer": {
                "learning_rate": 2e-5 if is_lora else 2e-6,
                "warmup_steps": 5,
                "micro_batch_tokens": 32768,
                "gradient_checkpointing": True,
                "dtype": "bfloat16",
            },
            "checkpoint_every": 20,
        },
        "evaluation": {"num_problems": 40, "samples_per_problem": 2, "per_agent_trees": False},
    }


def table(metrics: Iterable[Any], rows: int = 10) -> list[str]:
    """Means over `rows` stretches of the run. `metrics`: records with step, scope, name, value."""
    values: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for m in metrics:
        values[m.scope, m.name][m.step] = m.value
    steps = sorted(values["run", "team_pass_rate"])
    columns = {"team pass rate": ("run", "team_pass_rate"), "generated tokens/s": ("run", "tokens_per_s")}
    for name in POLICIES:
        columns |= {
            f"{name} pass rate": (f"agent/{name}", "pass_rate"),
            f"{name} learned tokens/s": (f"policy/{name}", "tokens_per_s"),
            f"{name} MFU": (f"policy/{name}", "mfu"),
            f"{name} GPU MiB": (f"policy/{name}", "peak_memory_mib"),
        }
    lines = ["| rounds | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    width = max(1, -(-len(steps) // rows))
    for start in range(0, len(steps), width):
        stretch = steps[start : start + width]
        cells = [
            f"{fmean(found):.4g}" if (found := [values[key][s] for s in stretch if s in values[key]]) else "–"
            for key in columns.values()
        ]
        lines.append(f"| {stretch[0]}–{stretch[-1]} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mbpp", type=Path, required=True, help="MBPP problems for training (mbpp.jsonl)")
    parser.add_argument("--model", default=MODEL, help="a Hugging Face id or folder")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--steps", type=int, default=60, help="updates of each policy")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("gpu_qwen05: no CUDA GPU found; run it on a machine with one (24 GB are enough for lora)")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.model}, {options.steps} steps")
    for variant in options.variants:
        config = config_of(variant, model=options.model, mbpp=options.mbpp.resolve(), steps=options.steps)
        parse_config(config)  # a mistake is told before anything is started
        folder = options.out / config["name"]
        options.out.mkdir(parents=True, exist_ok=True)
        written = options.out / f"{config['name']}.yaml"
        written.write_text(yaml.safe_dump(config, sort_keys=False))
        command = [sys.executable, "-m", "mars2", "train", str(written), "--out", str(folder), "--fresh"]
        subprocess.run(command, check=True)
        with RunStore.open(folder, read_only=True) as store:
            print(f"\n{variant}\n", *table(store.metrics()), sep="\n")


if __name__ == "__main__":
    main()
