"""A realistic run without models: two agents that get better over 60 steps, evaluated before and after."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mars2.core.completion import Completion, Message
from mars2.core.events import Finished, Metrics, Note
from mars2.core.problem import CallTest, Problem
from mars2.core.seeds import stream
from mars2.core.statistics import mean_ci
from mars2.core.tree import Node, Result, Tree
from mars2.core.verdict import Status, TestResult, Verdict
from mars2.store.run_store import RunStore

AGENTS = {"alpha": "alpha-gqa", "beta": "beta-moe"}
CONFIG = {
    "name": "quickstart",
    "seed": 7,
    "agents": {name: {"policy": policy, "role": ""} for name, policy in AGENTS.items()},
    "policies": {policy: {"backend": "transformers", "model": f"lab:{policy}"} for policy in AGENTS.values()},
    "search": {"strategy": "ab_mcts", "posterior": "beta", "order": "node-then-model"},
    "rollout": {"max_nodes": 8, "trees_in_flight": 32},
    "training": {"steps": 60, "shaping": {"gamma": 0.5, "sibling_weight": 0.5}, "advantage": "tree_group"},
}
BODIES = ["sorted(xs)", "sorted(xs)[::-1]", "[x * 2 for x in xs]", "[x for x in xs if x % 2 == 0]", "xs[::-1]"]
VALUES = [[3, 1, 2], [], [5, 5, 4, -1], [10, 2, 8, 7], [0]]


def make_problem(index: int) -> Problem:
    function = BODIES[index % len(BODIES)]
    tests = tuple(CallTest("f", (xs,), eval(function, {"xs": xs})) for xs in VALUES)
    return Problem(
        f"lab/{index:04}",
        f"f: {function.replace('xs', 'list')}\n\nWrite a function `f(xs)` that does this to a list of integers.",
        tests[:2],
        tests[2:],
        entry_point="f",
        starter_code="def f(xs):\n    ...\n",
    )


def judged(problem: Problem, program: str | None, hidden: bool) -> Verdict:
    """Runs the (harmless) program; real verdicts make the page look as it will."""
    tests = problem.hidden_tests if hidden else problem.public_tests
    if program is None:
        return Verdict(Status.CE, tuple(TestResult(Status.CE) for _ in tests))
    results: list[TestResult] = []
    for test in tests:
        namespace: dict[str, object] = {}
        try:
            exec(program, namespace)
            actual = namespace["f"](list(test.args[0]))
        except Exception as error:
            trace = f'File "program.py", line 3, in f\n    {program.splitlines()[-1].strip()}'
            results.append(TestResult(Status.RE, 0.004, 0.006, 9.1, "", type(error).__name__, str(error), trace))
            continue
        status = Status.AC if actual == test.expected else Status.WA
        results.append(TestResult(status, 0.003, 0.005, 9.1, repr(actual)))
    worst = next((r.status for r in results if r.status is not Status.AC), Status.AC)
    return Verdict(worst, tuple(results), tier="C")


def make_program(problem: Problem, skill: float, rng: np.random.Generator) -> str | None:
    index = int(problem.id.removeprefix("lab/"))
    right, difficulty = BODIES[index % len(BODIES)], index * 0.618 % 1
    if rng.random() < 2 * skill * (1 - difficulty) ** 2:
        return f"def f(xs):\n    # {right}\n    return {right}\n"
    wrong = [*BODIES, "xs[0] + 'a'", "max(xs)", None]
    body = wrong[rng.integers(len(wrong))]
    return None if body is None else f"def f(xs):\n    result = {body}\n    return result\n"


def grow(tree: Tree, problem: Problem, skill: dict[str, float], version: int, num_nodes: int = 8) -> Tree:
    rng = stream(0, "fake run", tree.tree_id)
    for _ in range(num_nodes):
        agent = str(rng.choice(list(skill)))
        parent = tree.nodes[rng.integers(len(tree))] if len(tree) and rng.random() < 0.6 else None
        program = make_program(problem, skill[agent] + (0.1 if parent else 0.0), rng)
        public, hidden = judged(problem, program, False), judged(problem, program, True)
        text = f"I will transform the list.\n```python\n{program}```" if program else "I am not sure how."
        prompt = (Message("system", "You write Python."), Message("user", problem.statement))
        if parent:
            said = (
                f"Your program\n\n{parent.program}\n\npassed {parent.public_verdict.num_passed} public tests. Fix it."
            )
            prompt = (*prompt, Message("user", said))
        ids = tuple(int(i) for i in rng.integers(0, 500, 24 + int(rng.integers(20))))
        logprobs = tuple((-rng.exponential(0.3, len(ids))).tolist())
        tree.add(
            tree.expand(None if parent is None else parent.id, agent),
            Result(
                prompt=prompt,
                completion=Completion(text, "stop", AGENTS[agent], version, ids[:20], ids, logprobs, 20, len(ids)),
                program=program,
                public_verdict=public,
                hidden_verdict=hidden,
                score=public.fraction_passed,
            ),
        )
    return tree


def credit(tree: Tree) -> dict[int, dict[str, float]]:
    rewards = np.array([float(n.is_correct) for n in tree])
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    return {
        i: {"reward": reward, "shaped": reward * 1.25, "advantage": float(advantages[i])}
        for i, reward in enumerate(rewards.tolist())
    }


def skill_at(step: int) -> dict[str, float]:
    rise = 1 / (1 + math.exp(-(step - 20) / 8))
    return {"alpha": 0.25 + 0.3 * rise, "beta": 0.32 + 0.2 * rise}


def evaluate(store: RunStore, label: str, step: int, num_problems: int) -> None:
    scores: dict[str, dict[str, list[float]]] = {name: {"pass_at_1": []} for name in (*AGENTS, "team")}
    rng = np.random.Generator(np.random.PCG64(step))
    team: dict[str, list[float]] = {"pass_at_1_mcts": [], "pass_at_n": []}
    for i in range(num_problems):
        problem = make_problem(9000 + i)
        store.save_problem(problem)
        tree = Tree(f"evaluate/{label}/team/{problem.id}", problem.id)
        store.hear(Finished(grow(tree, problem, skill_at(step), step), f"evaluate/{label}/team", step))
        solved = [n.is_correct for n in tree]
        team["pass_at_1_mcts"].append(float(solved[max(range(len(tree)), key=lambda k: tree.nodes[k].score)]))
        team["pass_at_n"].append(float(any(solved)))
        for name in AGENTS:
            scores[name]["pass_at_1"].append(float(rng.binomial(4, skill_at(step)[name]) / 4))
    payload = {
        name: {"pass_at_1": (e := mean_ci(scores[name]["pass_at_1"])).mean, "ci95": [e.lo, e.hi]} for name in AGENTS
    }
    store.hear(
        Note(
            "evaluation",
            {
                "label": label,
                "agents": payload,
                "team": {k: mean_ci(v).mean for k, v in team.items()}
                | {f"{k}_ci95": list(mean_ci(v)[1:]) for k, v in team.items()},
                "n_problems": num_problems,
                "budget": 8,
                "per_problem": {"agents": {n: scores[n] for n in AGENTS}, "team": team},
            },
        )
    )


def log_step(store: RunStore, step: int, rng: np.random.Generator, trees: list[Tree]) -> None:
    for name, policy in AGENTS.items():
        nodes: list[Node] = [n for t in trees for n in t if n.agent == name]
        store.hear(Metrics(step, f"agent/{name}", {
            "reward_mean": float(np.mean([n.is_correct for n in nodes])),
            "pass_rate": float(np.mean([n.is_correct for n in nodes])),
            "advantage_std": 0.9 + 0.1 * rng.random(),
            "response_length": 38 - step / 8 + rng.normal(),
            "share_of_expansions": len(nodes) / sum(map(len, trees)),
            "truncated_fraction": max(0.0, 0.02 * rng.normal()),
            "no_program_fraction": float(np.mean([n.program is None for n in nodes])),
        }))  # fmt: skip
        store.hear(Metrics(step, f"policy/{policy}", {
            "loss": 0.02 * rng.normal(), "kl": 2e-4 * step * (1 + 0.2 * rng.random()), "head_temperature": rng.random(),
            "clip_fraction": 0.1 + 0.03 * rng.random(), "logprob_gap": 1e-6 * rng.random(), "tis_weight_mean": 1.0,
            "grad_norm": 0.6 + 0.2 * rng.random(), "entropy": 1.2 * math.exp(-step / 60), "version": float(step),
            "ratio_mean": 1 + 0.001 * rng.normal(), "learning_rate": 1e-4 * min(1, step / 5),
            "buffer_fill": float(rng.integers(0, 128)), "staleness_mean": 0.3 * rng.random(),
            "num_stale_dropped": float(rng.integers(0, 3)), "num_tokens": 4000 + 300 * rng.normal(),
        }))  # fmt: skip
    store.hear(Metrics(step, "run", {
        "problems_per_s": 9 + rng.normal(), "tokens_per_s": 2600 + 80 * rng.normal(), "wall_s": 4.1 * step,
        "trees_kept_fraction": 0.7 + 0.05 * rng.normal(),
        "team_pass_rate": float(np.mean([any(n.is_correct for n in t) for t in trees])),
    }))  # fmt: skip


def make_run(folder: Path, *, steps: int = 60, trees_per_step: int = 6, num_problems: int = 60) -> Path:
    """A finished run in `folder`, `summary.json` not included."""
    rng = np.random.Generator(np.random.PCG64(7))
    with RunStore.create(folder, config=CONFIG) as store:
        store.hear(Note("run_started", {"commit": "0123456789abcdef0123", "seed": 7}))
        evaluate(store, "before", 0, num_problems)
        for step in range(1, steps + 1):
            trees: list[Tree] = []
            for i in range(trees_per_step):
                problem = make_problem(step * trees_per_step + i)
                store.save_problem(problem)
                tree = Tree(f"train/{step}/{problem.id}", problem.id)
                trees.append(grow(tree, problem, skill_at(step), step))
                store.hear(Finished(tree, "train", step, credit(tree)))
            log_step(store, step, rng, trees)
        store.hear(Note("alarm", {"text": "kl of policy alpha-gqa rose above 0.01 at step 52"}))
        evaluate(store, "after", steps, num_problems)
        store.hear(Note("run_finished", {}))
    return folder


if __name__ == "__main__":
    import sys

    from mars2.reports import write_report

    target = make_run(Path(sys.argv[1]))
    with RunStore.open(target, read_only=True) as run:
        print(write_report(target, run))
