"""How busy a generation engine is kept: trees grown by the global scheduler, and by MARTI's schedule beside it.

    python benchmarks/engine_busy.py           # a table
    python benchmarks/engine_busy.py --json    # a list of objects, one per row

A simulated engine of 64 slots answers after a log-normal time of mean 1 s, scaled down by --scale. Trees of 64 nodes
are grown as `mars2 evaluate` grows them: AB-MCTS-A, two agents on one policy, prompts, parsing, a judge that answers
later without blocking, every event written to a run's SQLite store. Busy is the mean fraction of slots in use from the
first request until the last expansion is issued to the engine.

Schedules:

- expansion: results are told to a tree's search in order of choice (`rollout.order`, the default): trees repeat;
- arrival: told as they come;
- one in flight: one expansion per tree at a time, as MARTI grows trees.

--virtual runs the same on a clock that jumps from event to event: what the schedule alone allows, on any machine. The
rows with the real clock also show that the event loop keeps up; run them on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.events import Opened
from mars2.core.problem import CallTest, Problem, Suite
from mars2.core.protocols import SandboxFacts
from mars2.core.seeds import stream
from mars2.core.tree import Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.prompting.chat import ChatPrompter
from mars2.runs.growing.grow_tree import Order, TreeGrower
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.growing.slots import Slots
from mars2.runs.growing.team import Agent
from mars2.runs.recorder import Recorder
from mars2.search.ab_mcts import AbMcts
from mars2.store.run_store import RunStore

SLOTS = 64
PROBLEM = Problem(
    "p", "Add one to x, in as many ways as there are.", tuple(CallTest("f", (i,), i + 1) for i in range(5)), (), "f"
)


class Engine:
    """Answers one of many programs after a log-normal time, and measures how many of its slots are in use."""

    policy = "engine"
    version = 0

    def __init__(self, mean_s: float, sigma: float, num_expected: int) -> None:
        self.mean_s, self.sigma, self.num_expected = mean_s, sigma, num_expected
        self.num_issued = self.num_under_way = 0
        self.slot_s = self.busy = 0.0
        self.first_s = self.last_s = 0.0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        self._advance()
        if self.num_issued == 0:
            self.first_s = self.last_s
        self.num_issued += 1
        self.num_under_way += 1
        assert self.num_under_way <= SLOTS
        if self.num_issued == self.num_expected:
            self.busy = self.slot_s / (SLOTS * max(self.last_s - self.first_s, 1e-9))
        rng = stream(sampling.seed or 0, "engine")
        await asyncio.sleep(self.mean_s * rng.lognormal(-(self.sigma**2) / 2, self.sigma))
        self._advance()
        self.num_under_way -= 1
        text = f"```python\ndef f(x):\n    return x + {rng.integers(1000)}\n```"
        output = tuple(int(i) for i in rng.integers(30_000, size=200))
        return Completion(text, "stop", self.policy, 0, (1,) * 400, output, (-0.5,) * 200, 400, 200)

    def facts(self) -> SandboxFacts:
        return SandboxFacts("", 0, 0)

    async def close(self) -> None: ...

    def _advance(self) -> None:
        now = asyncio.get_running_loop().time()
        self.slot_s += self.num_under_way * (now - self.last_s)
        self.last_s = now


class Judge:
    """A verdict from the program's text, a tenth of a generation later."""

    def __init__(self, mean_s: float) -> None:
        self.mean_s = mean_s

    async def judge(self, program: str | None, suite: Suite, *, stop_at_first_failure: bool = True) -> Verdict:
        tests = suite.tests
        await asyncio.sleep(0.1 * self.mean_s)
        passed = len(program or "") % (len(tests) + 1)
        results = [TestResult(Status.AC if i < passed else Status.WA, actual="0") for i in range(len(tests))]
        return Verdict(Status.AC if passed == len(tests) else Status.WA, tuple(results))

    def facts(self) -> SandboxFacts:
        return SandboxFacts("", 0, 0)

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Row:
    schedule: str
    problems: int
    nodes: int
    sigma: float
    expansions_in_flight: int
    virtual: bool
    busy: float  # until the last expansion is issued
    wall_s: float  # in units of the mean latency
    cpu_s: float  # of this process


def measure(
    schedule: str, order: Order, problems: int, nodes: int, in_flight: int, sigma: float, mean_s: float, virtual: bool
) -> Row:
    engine = Engine(mean_s, sigma, problems * nodes)
    agents = {name: Agent(name, "engine", engine, "", Sampling(max_tokens=512)) for name in ("a", "b")}
    grower = TreeGrower(
        agents=agents,
        new_search=lambda: AbMcts(list(agents)),
        prompter=ChatPrompter(),
        sandbox=Judge(mean_s),
        seed=0,
        max_nodes=nodes,
        expansions_in_flight=in_flight,
        order=order,
        slots=Slots({"engine": SLOTS}),
    )
    with tempfile.TemporaryDirectory() as folder, RunStore.create(Path(folder), config={}) as store:
        recorder = Recorder(store)
        jobs = [Job(Tree(f"t{i}", "p"), replace(PROBLEM, id=f"p{i}"), grower) for i in range(problems)]
        for job in jobs:
            recorder.hear(Opened(job.tree, "evaluate", 0))
        factory: Callable[[], asyncio.AbstractEventLoop] | None = VirtualTimeLoop if virtual else None
        cpu_s = time.process_time()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(grow_trees(jobs, trees_in_flight=problems, lockstep=False, hear=recorder.hear))
        cpu_s = time.process_time() - cpu_s
    wall = (engine.last_s - engine.first_s) / mean_s
    return Row(schedule, problems, nodes, sigma, in_flight, virtual, engine.busy, wall, cpu_s)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now


class _Instant(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--virtual", action="store_true", help="a clock that jumps: the schedule's own limit")
    parser.add_argument("--scale", type=float, default=0.25, help="seconds of wall time for the mean latency")
    parser.add_argument("--sigma", type=float, nargs="*", default=[0.5, 1.0], help="of the latency's logarithm")
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--problems", type=int, nargs="*", default=[32, 8])
    parser.add_argument("--in-flight", type=int, nargs="*", default=[4, 8, 16])
    options = parser.parse_args()
    rows: list[Row] = []
    for sigma in options.sigma:
        for problems in options.problems:
            plans: list[tuple[str, Order, int]] = [("one in flight", "expansion", 1)]
            orders: tuple[Order, ...] = ("expansion", "arrival")
            plans += [(order, order, n) for n in options.in_flight for order in orders]
            for schedule, order, in_flight in plans:
                row = measure(
                    schedule, order, problems, options.nodes, in_flight, sigma, options.scale, options.virtual
                )
                rows.append(row)
                if not options.json:
                    if len(rows) == 1:
                        print(f"{'schedule':>14} {'problems':>8} {'in flight':>9} {'sigma':>5} {'busy':>6} "
                              f"{'wall / mean':>11} {'CPU s':>6}")  # fmt: skip
                    print(f"{schedule:>14} {problems:>8} {in_flight:>9} {sigma:>5} {row.busy:>6.3f} "
                          f"{row.wall_s:>11.1f} {row.cpu_s:>6.1f}", flush=True)  # fmt: skip
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
