"""Time per search step: this project's AB-MCTS-A against TreeQuest's `ABMCTSA`, in one process, at the same tree sizes.

    python benchmarks/search_speed.py           # a table
    python benchmarks/search_speed.py --json    # a list of objects with the keys
                                                # implementation, nodes, agents, posterior, ms_per_step

The project grows trees and has every choose + tell timed; ms_per_step is the mean over the steps after the given number
of nodes, the median over trees. TreeQuest is told the nodes of the first tree, then has ask + tell timed, in place
(its default `step` also copies the whole state). Times are CPU times of the thread, and everything is done --repeats
times exactly alike and the least time of each step counts, so that other work on the machine disturbs little. Needs
the `treequest` extra, unless --project-only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np

from mars2.config.search import AbMctsConfig
from mars2.core.completion import Completion
from mars2.core.protocols import Choice
from mars2.core.tree import Node, Result, Tree
from mars2.core.verdict import Status, Verdict
from mars2.search.ab_mcts import AbMcts

Posterior = Literal["beta", "gaussian"]
Score = Callable[[float | None], float]  # the parent's score, None for a first attempt -> the new node's

COMPLETION = Completion("", "stop", "policy", 0)
VERDICT = Verdict(Status.WA, ())


def uniform_scores(seed: int) -> Score:
    """Scores that say nothing of the parent: trees become as wide as they can, the hardest case for a step's cost."""
    rng = np.random.default_rng([seed, 1])
    return lambda parent: float(rng.random())


def refining_scores(seed: int) -> Score:
    """The parent's score (0.3 at the root) + N(0.02, 0.2), in tenths, as with ten public tests."""
    rng = np.random.default_rng([seed, 1])

    def score(parent: float | None) -> float:
        raw = (0.3 if parent is None else parent) + 0.02 + 0.2 * float(rng.standard_normal())
        return round(10 * min(max(raw, 0.0), 1.0)) / 10

    return score


SCORES: dict[str, Callable[[int], Score]] = {"refining": refining_scores, "uniform": uniform_scores}


def grow_timed(
    posterior: Posterior, agents: list[str], num_nodes: int, score: Score, seed: int
) -> tuple[Tree, list[float]]:
    """A tree grown by the project, and ms of every choose + tell."""
    tree, search = Tree("tree", "problem"), AbMcts(agents, AbMctsConfig(posterior=posterior))
    rng = np.random.default_rng(seed)
    spent: list[float] = []
    for _ in range(num_nodes):
        start = time.thread_time()
        choice = search.choose(tree, rng)
        chosen = time.thread_time()
        assert isinstance(choice, Choice)
        node = tree.add(
            tree.expand(choice.parent_id, choice.agent),
            Result(
                prompt=(),
                completion=COMPLETION,
                program=None,
                public_verdict=VERDICT,
                hidden_verdict=None,
                score=score(None if choice.parent_id is None else tree.nodes[choice.parent_id].score),
            ),
        )
        assert node is not None
        added = time.thread_time()
        search.tell(tree, node)
        spent.append(1000 * (time.thread_time() - added + chosen - start))
    return tree, spent


def time_treequest(posterior: Posterior, agents: list[str], told: list[Node], steps: int, score: Score) -> list[float]:
    """ms of every ask + tell in TreeQuest, after it was told the nodes `told`."""
    import treequest

    np.random.seed(0)  # TreeQuest draws from the global stream
    algorithm: Any = treequest.ABMCTSA(dist_type=posterior)
    state: Any = algorithm.init_tree()
    nodes: list[Any] = [state.tree.root]
    state.all_rewards_store.update({agent: [] for agent in agents})
    state.tree.get_node = lambda index: nodes[index + 1]  # its own sorts the tree; used only while building
    for node in told:
        parent = nodes[0 if node.parent_id is None else node.parent_id + 1]
        state.thompson_states.get_or_create(parent, agents)
        trial = state.trial_store.create_trial(parent, node.agent)
        algorithm.tell(state, trial.trial_id, (node.id, node.score))
        nodes.append(parent.children[-1])
    del state.tree.get_node

    spent: list[float] = []
    scores = [node.score for node in told]
    for _ in range(steps):
        start = time.thread_time()
        _, trial = algorithm.ask(state, agents)
        asked = time.thread_time()
        scores.append(score(scores[trial.node_to_expand] if trial.node_to_expand >= 0 else None))
        again = time.thread_time()
        algorithm.tell(state, trial.trial_id, (len(scores) - 1, scores[-1]))
        spent.append(1000 * (time.thread_time() - again + asked - start))
    return spent


def least(runs: Iterable[list[float]]) -> list[float]:
    """The least time of each step over runs that did exactly the same."""
    return [min(times) for times in zip(*runs, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--posteriors", nargs="+", choices=["beta", "gaussian"], default=["beta", "gaussian"])
    parser.add_argument("--scores", choices=list(SCORES), default="refining", help="how nodes are scored")
    parser.add_argument("--trees", type=int, default=5, help="trees grown by the project")
    parser.add_argument("--steps", type=int, default=200, help="steps timed after each size")
    parser.add_argument("--treequest-steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--project-only", action="store_true")
    options = parser.parse_args()

    agents = [f"agent{i}" for i in range(options.agents)]
    make_score = SCORES[options.scores]
    repeats = range(options.repeats)
    size = max(options.nodes) + options.steps
    rows: list[dict[str, Any]] = []
    for posterior in options.posteriors:
        first_tree, _ = grow_timed(posterior, agents, max(options.nodes), make_score(0), 0)
        grown = [
            least(grow_timed(posterior, agents, size, make_score(seed), seed)[1] for _ in repeats)
            for seed in range(options.trees)
        ]
        for nodes in options.nodes:
            row = {"nodes": nodes, "agents": options.agents, "posterior": posterior}
            ours = statistics.median(statistics.fmean(spent[nodes : nodes + options.steps]) for spent in grown)
            rows.append({"implementation": "mars2", **row, "ms_per_step": round(ours, 5)})
            if not options.project_only:
                told, steps = first_tree.nodes[:nodes], options.treequest_steps
                theirs = least(
                    time_treequest(posterior, agents, told, steps, make_score(options.trees)) for _ in repeats
                )
                rows.append({"implementation": "treequest", **row, "ms_per_step": round(statistics.fmean(theirs), 5)})
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'posterior':10} {'nodes':>6} {'mars2 ms':>10} {'treequest ms':>13} {'ratio':>8}")
    for ours in (row for row in rows if row["implementation"] == "mars2"):
        same = [
            r
            for r in rows
            if r["implementation"] == "treequest" and (r["nodes"], r["posterior"]) == (ours["nodes"], ours["posterior"])
        ]
        line = f"{ours['posterior']:10} {ours['nodes']:>6} {ours['ms_per_step']:>10.4f}"
        for theirs in same:
            line += f" {theirs['ms_per_step']:>13.3f} {theirs['ms_per_step'] / ours['ms_per_step']:>7.0f}×"
        print(line)


if __name__ == "__main__":
    main()
