"""Judge search strategies in a simulated world (`simulated_agents.py`), paired by problem, without a model.

    python benchmarks/yardstick.py                                    # our strategies, 24 seeds × 40 problems
    python benchmarks/yardstick.py --strategies t_plus treequest:beta --against t_plus --concurrency 16
    python benchmarks/yardstick.py --calibration                      # what independent first attempts look like

One run of every strategy on every problem to the largest budget gives all smaller budgets on the way. Columns, in % of
problems: `any` some node is right (Pass@N); then the answer chosen is right, by public tests alone, by public tests and
groups of behaviour on generated inputs, and by those weighted by a reward model. MARS2-T+ is the row t_plus with the
last column. Differences are paired by problem; ± is one standard error. It is a regression yardstick: figures say
nothing about language models.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mars2.config.search import AbMctsConfig, DepthGuidedConfig, TPlusConfig, TreeQuestConfig
from mars2.core.completion import Completion
from mars2.core.protocols import Choice, Search
from mars2.core.tree import Expansion, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.selection import choose_answer, finalists
from mars2.search.sequential import Sequential
from mars2.search.t_plus import TPlus
from mars2.search.treequest_adapter import TreeQuestSearch
from simulated_agents import PUBLIC_TESTS, Program, World

COLUMNS = ("any", "public", "behaviour", "reward model")
COMPLETION = Completion("", "stop", "simulated", 0)
VERDICTS = [
    Verdict(
        Status.AC if passed == PUBLIC_TESTS else Status.WA,
        tuple(TestResult(Status.AC if i < passed else Status.WA) for i in range(PUBLIC_TESTS)),
    )
    for passed in range(PUBLIC_TESTS + 1)
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy, and what is around it."""

    make: Callable[[Sequence[str]], Search]
    reward_model_share: float = 0.0  # of the score that it sees
    feedback: bool = True  # agents that refine a program see which public tests it fails


STRATEGIES: dict[str, Entry] = {
    "best_of_n": Entry(BestOfN),
    "sequential": Entry(Sequential),
    "refine_best": Entry(RefineBest),
    "mcts": Entry(Mcts),
    "ab_mcts": Entry(AbMcts),
    "ab_mcts:gaussian": Entry(partial(AbMcts, options=AbMctsConfig(posterior="gaussian"))),
    "ab_mcts:stack": Entry(partial(AbMcts, options=AbMctsConfig(order="stack"))),
    "ab_mcts:ucb1": Entry(partial(AbMcts, options=AbMctsConfig(agent_choice="ucb1"))),
    "ab_mcts:cap1": Entry(partial(AbMcts, options=AbMctsConfig(max_pending_per_node=1))),
    "depth_guided": Entry(DepthGuided),
    "depth_guided:gaussian": Entry(partial(DepthGuided, options=DepthGuidedConfig(posterior="gaussian"))),
    "t_plus": Entry(TPlus),
    "t_plus:gaussian": Entry(partial(TPlus, options=TPlusConfig(posterior="gaussian"))),
    "t_plus:rm_score": Entry(TPlus, reward_model_share=0.2),
    "t_plus:no_feedback": Entry(TPlus, feedback=False),
    "t_plus:depth_scope": Entry(partial(TPlus, options=TPlusConfig(slope=0.1, count_scope="depth"))),
    "t_plus:no_depth": Entry(partial(TPlus, options=TPlusConfig(gamma=1.0, slope=0.0))),
    "t_plus:no_own_score": Entry(partial(TPlus, options=TPlusConfig(own_score_weight=0.0))),
    "t_plus:back_up_score": Entry(partial(TPlus, options=TPlusConfig(back_up="score"))),
    "t_plus:go_on_arm": Entry(partial(TPlus, options=TPlusConfig(go_on="arm"))),
    "treequest:beta": Entry(partial(TreeQuestSearch, options=TreeQuestConfig(options={"dist_type": "beta"}))),
    "treequest:gaussian": Entry(partial(TreeQuestSearch, options=TreeQuestConfig(options={"dist_type": "gaussian"}))),
}
DEFAULT = ["best_of_n", "sequential", "refine_best", "mcts", "ab_mcts", "ab_mcts:gaussian", "depth_guided", "t_plus"]


def run(
    entry: Entry, seed: int, problem: int, agents: list[str], budgets: list[int], concurrency: int
) -> list[list[bool]]:
    """One tree grown to the largest budget: for every budget, whether each of COLUMNS is right.

    `concurrency` expansions are under way at a time, with log-normal latencies; a program is written when its expansion
    is chosen, and graded and told when it ends.
    """
    world = World(seed, problem, len(agents))
    latency = np.random.default_rng([seed, problem, 2])
    tree, search = Tree(f"{seed}/{problem}", str(problem)), entry.make(agents)
    rng = np.random.default_rng([seed, problem, 3])
    programs: list[Program] = []  # by node id
    ends: list[tuple[float, int, Expansion, Program]] = []
    now, outcomes = 0.0, list[list[bool]]()
    while len(tree) < max(budgets):
        while len(tree.pending) < min(concurrency, max(budgets) - len(tree)):
            choice = search.choose(tree, rng)
            if not isinstance(choice, Choice):
                break
            agent = agents.index(choice.agent)
            parent = None if choice.parent_id is None else programs[choice.parent_id]
            if parent is None:
                program = world.first_attempt(agent)
            else:
                program = world.refine(agent, parent, sees_failures=entry.feedback)
            expansion = tree.expand(choice.parent_id, choice.agent)
            heapq.heappush(ends, (now + float(latency.lognormal(-0.125, 0.5)), expansion.id, expansion, program))
        now, _, expansion, program = heapq.heappop(ends)
        passed = world.public_passed(program)
        share = entry.reward_model_share
        node = tree.add(
            expansion,
            Result(
                prompt=(),
                completion=COMPLETION,
                program=program.text,
                public_verdict=VERDICTS[passed],
                hidden_verdict=None,
                score=(1 - share) * passed / PUBLIC_TESTS + share * world.reward_model(program),
            ),
        )
        assert node is not None
        programs.append(program)
        search.tell(tree, node)
        if len(tree) in budgets:
            outcomes.append(_outcome(world, tree, programs))
    return outcomes


def _outcome(world: World, tree: Tree, programs: list[Program]) -> list[bool]:
    last = [node.id for node in finalists(tree)]
    behaviours = {i: world.behaviour(programs[i]) for i in last}
    weights = {i: world.reward_model(programs[i]) for i in last}
    answers = [
        choose_answer(tree),
        choose_answer(tree, behaviours=behaviours),
        choose_answer(tree, behaviours=behaviours, weights=weights),
    ]
    right = [answer is not None and world.right(programs[answer]) for answer in answers]
    return [any(world.right(program) for program in programs), *right]


def run_seed(
    name: str, seed: int, problems: int, agents: list[str], budgets: list[int], concurrency: int
) -> NDArray[Any]:
    """Outcomes of one strategy on one seed's problems, [problems, budgets, COLUMNS]."""
    entry = STRATEGIES[name]
    return np.array([run(entry, seed, problem, agents, budgets, concurrency) for problem in range(problems)])


def mean_and_error(values: NDArray[Any]) -> str:
    """Percentage ± its standard error, over independent values."""
    return f"{100 * values.mean():5.1f} ±{100 * values.std(ddof=1) / len(values) ** 0.5:4.1f}"


def report(results: dict[str, NDArray[Any]], budgets: list[int], against: list[str]) -> None:
    for b, budget in enumerate(budgets):
        print(f"\nbudget {budget:<17}" + "".join(f"{column:>16}" for column in COLUMNS))
        for name, outcomes in results.items():
            print(f"{name:24}" + "".join(f"{mean_and_error(outcomes[:, b, c]):>16}" for c in range(len(COLUMNS))))
        for ours in against:
            print(f"{ours} minus   (a fifth column: {ours} by reward model minus the other by public tests)")
            for name in (n for n in results if n != ours):
                x, y = results[ours][:, b].astype(float), results[name][:, b].astype(float)
                differences = [x[:, c] - y[:, c] for c in range(len(COLUMNS))] + [x[:, 3] - y[:, 1]]
                print(f"  {name:22}" + "".join(f"{mean_and_error(difference):>16}" for difference in differences))


def calibration(problems: int, attempts: int = 20) -> None:
    """Print what independent first attempts of two agents look like."""
    rows: list[tuple[float, bool]] = []
    for problem in range(problems):
        world = World(0, problem, 2)
        for i in range(attempts):
            program = world.first_attempt(i % 2)
            rows.append((world.public_passed(program) / PUBLIC_TESTS, world.right(program)))
    public, right = np.array(rows, dtype=float).T
    print(f"right {100 * right.mean():.1f}%  public fraction {public.mean():.2f}  ", end="")
    print(f"correlation of public fraction and right {np.corrcoef(public, right)[0, 1]:.2f}  ", end="")
    print(f"wrong among those passing every public test {100 * (1 - right[public == 1].mean()):.0f}%")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", nargs="+", choices=list(STRATEGIES), default=DEFAULT, metavar="NAME")
    parser.add_argument("--against", nargs="+", default=[], help="print paired differences of these to every other")
    parser.add_argument("--budgets", type=int, nargs="+", default=[8, 16, 32, 64, 128])
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on other seeds than you report")
    parser.add_argument("--problems", type=int, default=40, help="per seed; every seed has its own problems")
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="also write means per strategy, budget and column")
    parser.add_argument("--calibration", action="store_true")
    options = parser.parse_args()
    if options.calibration:
        calibration(1000)
        return
    if not set(options.against) <= set(options.strategies):
        parser.error(f"--against must name strategies that are run, got {' '.join(options.against)}")

    agents = [f"agent{i}" for i in range(options.agents)]
    budgets = sorted(options.budgets)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    results: dict[str, NDArray[Any]] = {}  # [seeds × problems, budgets, COLUMNS]
    with ProcessPoolExecutor(options.workers) as pool:
        for name in options.strategies:
            one_seed = partial(
                run_seed,
                name,
                problems=options.problems,
                agents=agents,
                budgets=budgets,
                concurrency=options.concurrency,
            )
            results[name] = np.concatenate(list(pool.map(one_seed, seeds)))
    report(results, budgets, options.against)
    if options.json:
        means = {
            name: {
                str(b): dict(zip(COLUMNS, row.tolist(), strict=True))
                for b, row in zip(budgets, outcomes.mean(0), strict=True)
            }
            for name, outcomes in results.items()
        }
        Path(options.json).write_text(json.dumps(means, indent=1) + "\n")


if __name__ == "__main__":
    main()
