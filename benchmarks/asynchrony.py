"""Does asynchrony pay? Heterogeneous training in the lab with one fast and one slow policy, in both schedules.

Generation is drawn out by sleeping so many milliseconds per token, as if each policy were served by an engine of its
own elsewhere: the processor is idle for most of a run, so two runs fit side by side on two cores. Both schedules keep
the same number of trees in flight; neither uses lockstep, so the synchronous one waits for a whole round of trees and
for nothing else.

Printed: wall time until the pass rate of first attempts (the last WINDOW of them, on problems never seen before)
reaches the target; wall time of all steps; and Pass@1 on held-out problems after the last step, measured without delay.
The bar: time to the target at most 0.75 of the synchronous one, and the interval of the difference in the final Pass@1
holds 0.

`--clock cpu` measures the same on a clock that does not see the machine's other load: CPU seconds of the process (the
judge's left out), and sleeps jumped over. It is that of one free core, so runs side by side do not slow each other.

    python benchmarks/asynchrony.py --out FILE.json  # 5 seeds, two runs side by side, about 20 minutes; again: goes on
    python benchmarks/asynchrony.py --clock cpu      # on a busy machine
    python benchmarks/asynchrony.py --seeds 1 --steps 4 --json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cpu_clock import CpuClockLoop
from mars2 import build
from mars2.config.load import load_config
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.protocols import Backend, Sandbox, SandboxFacts
from mars2.core.statistics import paired_gain_ci
from mars2.core.tree import Node, Tree
from mars2.core.verdict import Verdict
from mars2.recipes import FOLDER
from mars2.runs.measuring.validation import METRIC, Validation
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore

CONFIG = FOLDER / "lab_heter.yaml"
SCHEDULES = ("rounds", "async")
MS_PER_TOKEN = {"alpha": 25.0, "beta": 100.0}
WINDOW = 320  # first attempts
SETTINGS = {
    "problems.num_test": 200,
    "rollout.lockstep": "false",
    "rollout.trees_in_flight": 32,
    "training.trees_per_round": 32,
    "training.batch_samples": 64,
    "training.max_staleness": 2,
    "training.checkpoint_every": 1000,
    "sandbox.workers": 1,
}


class Delayed:
    """A backend whose answers arrive late, in proportion to their length. Their policy version is that of sampling."""

    def __init__(self, backend: Backend, ms_per_token: float) -> None:
        self.policy = backend.policy
        self._backend = backend
        self._s_per_token = ms_per_token / 1000

    @property
    def version(self) -> int:
        return self._backend.version

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        completion = await self._backend.generate(prompt, sampling)
        await asyncio.sleep(self._s_per_token * completion.output_tokens)
        return completion

    async def close(self) -> None:
        pass


class Announced:
    """A sandbox that tells the loop's clock when it works."""

    def __init__(self, sandbox: Sandbox, loop: CpuClockLoop) -> None:
        self._sandbox = sandbox
        self._loop = loop

    async def judge(self, *args: Any, **options: Any) -> Verdict:
        with self._loop.working():
            return await self._sandbox.judge(*args, **options)

    def facts(self) -> SandboxFacts:
        return self._sandbox.facts()

    async def close(self) -> None:
        await self._sandbox.close()


class Clock:
    """Hears of training nodes; notes when the pass rate of the last `WINDOW` first attempts reached the target."""

    def __init__(self, target: float) -> None:
        self.target = target
        self.now = asyncio.get_running_loop().time
        self.started = self.now()
        self.reached_s: float | None = None
        self.curve: list[tuple[float, float]] = []  # (seconds, pass rate), every 64 first attempts
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._count = 0

    def node(self, tree: Tree, node: Node) -> None:
        if node.parent_id is not None:
            return
        self._last.append(node.is_correct)
        self._count += 1
        rate, now = sum(self._last) / len(self._last), self.now() - self.started
        if self._count % 64 == 0:
            self.curve.append((round(now, 1), round(rate, 4)))
        if self.reached_s is None and len(self._last) == WINDOW and rate >= self.target:
            self.reached_s = now

    def metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None:
        pass

    def event(self, kind: str, payload: Mapping[str, Any]) -> None:
        pass


async def run_one(schedule: str, seed: int, steps: int, target: float, folder: Path) -> dict[str, Any]:
    settings = SETTINGS | {"training.steps": steps, "training.schedule": schedule}
    config = load_config(CONFIG, [f"{key}={value}" for key, value in settings.items()])
    models = build.resolve_models(config)  # the warm start of the configured seed; only training differs between seeds
    config = replace(config, seed=seed)
    with RunStore.create(folder, config=config.as_dict()) as store:
        learners = build.build_learners(config, models)
        team = build.build_team(config, models)
        undelayed = dict(team.agents)
        loop = asyncio.get_running_loop()
        if isinstance(loop, CpuClockLoop):
            team.sandbox = Announced(team.sandbox, loop)
        team.agents |= {n: replace(a, backend=Delayed(a.backend, MS_PER_TOKEN[a.policy])) for n, a in undelayed.items()}
        clock = Clock(target)
        recorder = Recorder(store, [clock])
        trainer = build.build_trainer(config, team, learners, recorder, folder)
        clock.started = loop.time()
        cpu = time.process_time()
        await trainer.run()
        wall_s, cpu_s = loop.time() - clock.started, time.process_time() - cpu
        team.agents |= undelayed
        held_out = build.build_validation(config, team, build.build_problems(config, "test"))
        final = (await replace_lockstep(held_out)())["run"][METRIC]
        ages = [m.value for m in store.metrics() if m.name == "staleness_mean"]
        await team.close()
    return {
        "schedule": schedule,
        "seed": seed,
        "to_target_s": clock.reached_s,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "final_pass_at_1": final,
        "staleness_mean": float(np.mean(ages)),
        "updates": {name: learner.version for name, learner in learners.items()},
        "curve": clock.curve,
    }


def replace_lockstep(validation: Validation) -> Validation:
    """All problems at once, in batches as large as they get."""
    evaluation = validation.evaluation
    evaluation = replace(evaluation, trees_in_flight=len(evaluation.problems), lockstep=True)
    return replace(validation, evaluation=evaluation)


def run_apart(schedule: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """`run_one` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--one", schedule, str(seed), "--folder", f"{folder}/run"]
        command += ["--steps", str(options.steps), "--target", str(options.target), "--clock", options.clock]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{schedule} with seed {seed} failed:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{schedule:7} seed {seed}: target after {_seconds(result['to_target_s'])}, all {options.steps} steps "
        f"{result['wall_s']:.0f} s (CPU {result['cpu_s']:.0f} s), final Pass@1 {100 * result['final_pass_at_1']:.1f}, "
        f"staleness {result['staleness_mean']:.2f}",
        file=sys.stderr,
    )
    return result


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What must be the same for two runs to be compared."""
    chosen = {"steps": options.steps, "target": options.target, "clock": options.clock}
    return {**chosen, "ms_per_token": MS_PER_TOKEN, "settings": SETTINGS}


def read_results(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The runs that `--out` already holds."""
    if not (options.out and options.out.exists()):
        return []
    found = json.loads(options.out.read_text())
    if {name: found[name] for name in settings_of(options)} != settings_of(options):
        raise SystemExit(f"{options.out} holds runs with other settings; give another file")
    return found["runs"]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def summarise(results: list[dict[str, Any]], num_seeds: int) -> dict[str, Any]:
    by = {s: {r["seed"]: r for r in results if r["schedule"] == s} for s in SCHEDULES}
    seeds = range(num_seeds)
    both = [(by["rounds"][i], by["async"][i]) for i in seeds]
    missed = [i for i in seeds if by["rounds"][i]["to_target_s"] is None or by["async"][i]["to_target_s"] is None]
    reached = [(r["to_target_s"], a["to_target_s"]) for r, a in both if r["seed"] not in missed]
    gain = paired_gain_ci([r["final_pass_at_1"] for r, _ in both], [a["final_pass_at_1"] for _, a in both])
    ratio = sum(a for _, a in reached) / sum(r for r, _ in reached) if reached else None
    return {
        "seeds": num_seeds,
        "seeds_that_missed_the_target": missed,
        "to_target_s": {s: [by[s][i]["to_target_s"] for i in seeds] for s in SCHEDULES},
        "to_target_ratio": ratio,
        "to_target_ratio_by_seed": [a / r for r, a in reached],
        "all_steps_ratio": sum(a["wall_s"] for _, a in both) / sum(r["wall_s"] for r, _ in both),
        "final_pass_at_1": {s: [by[s][i]["final_pass_at_1"] for i in seeds] for s in SCHEDULES},
        "final_difference": gain.mean,
        "final_difference_ci95": [gain.lo, gain.hi],
        "bar_met": ratio is not None and not missed and ratio <= 0.75 and gain.lo <= 0 <= gain.hi,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--target", type=float, default=0.30, help="pass rate of first attempts, in [0, 1]")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--one", nargs=2, metavar=("SCHEDULE", "SEED"), help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, help="JSON file of the finished runs; those it already holds are not repeated"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        schedule, seed = options.one
        with asyncio.Runner(loop_factory=CpuClockLoop if options.clock == "cpu" else None) as runner:
            found = runner.run(run_one(schedule, int(seed), options.steps, options.target, options.folder))
        print(json.dumps(found))
        return
    started = time.monotonic()
    build.resolve_models(load_config(CONFIG))  # not by several runs at once
    results = read_results(options)
    done = {(r["schedule"], r["seed"]) for r in results}
    jobs = [(schedule, seed) for seed in range(options.seeds) for schedule in SCHEDULES if (schedule, seed) not in done]
    with ThreadPoolExecutor(options.jobs) as pool:
        for future in as_completed([pool.submit(run_apart, *job, options) for job in jobs]):
            results.append(future.result())
            if options.out:
                options.out.write_text(json.dumps({**settings_of(options), "runs": results}, indent=2))
    summary = summarise(results, options.seeds) | {
        **settings_of(options),
        "measured_in_s": round(time.monotonic() - started, 1),
        "runs": results,
    }
    if options.json:
        print(json.dumps(summary, indent=2))
        return
    print(f"{'':28}{'rounds':>10}{'async':>10}{'ratio':>8}")
    for seed in range(options.seeds):
        old, new = (summary["to_target_s"][s][seed] for s in SCHEDULES)
        ratio = f"{new / old:.2f}" if old and new else "–"
        print(f"{f'seconds to {options.target}, seed {seed}':28}{_seconds(old):>10}{_seconds(new):>10}{ratio:>8}")
    ratio = summary["to_target_ratio"]
    print(
        f"all seeds: {'–' if ratio is None else f'{ratio:.2f}'} (bar 0.75); all steps: {summary['all_steps_ratio']:.2f}"
    )
    low, high = summary["final_difference_ci95"]
    difference = f"{100 * summary['final_difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    print(f"final Pass@1, async − rounds: {difference}; bar {'met' if summary['bar_met'] else 'missed'}")
    print(f"{summary['measured_in_s']:.0f} s")


if __name__ == "__main__":
    main()
