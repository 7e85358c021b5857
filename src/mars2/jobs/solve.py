"""Solves one problem: grow a tree, choose its answer, judge that once by the hidden tests."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mars2 import build
from mars2.config.growing import SelectionConfig
from mars2.config.load import parse_config
from mars2.config.resume import changed_keys
from mars2.config.run import RunConfig
from mars2.config.search import parse_strategy
from mars2.core.errors import ConfigError
from mars2.core.events import Finished, Listener, Note, Opened, nobody
from mars2.core.problem import Problem
from mars2.core.tree import Tree
from mars2.jobs.options import SolveOptions, takes
from mars2.jobs.run_folder import commit
from mars2.jobs.running import blocking, job
from mars2.jobs.solution import Solution
from mars2.jobs.team import Setup, find_problem, find_team, load_models, load_team, longest_answer
from mars2.reports import write_report
from mars2.runs.choose import choose
from mars2.runs.growing.grow_tree import TreeGrower
from mars2.runs.growing.guidance import Guide
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.recorder import Recorder
from mars2.store.run_store import RunStore


@job
@takes(SolveOptions)
async def solve_async(problem: Problem | str | Path, options: SolveOptions) -> Solution:
    """Solve one problem (a problem, a file, or a reference such as ``humaneval:0``) by multi-agent tree search.

    Raises:
        ConfigError: names the option, its value and the remedy.
        ProblemError: there is no such problem, or it is malformed.
        SandboxUnavailable: programs cannot be judged safely on this machine.
    """
    setup = solve_setup(options)
    task = await asyncio.to_thread(find_problem, problem, setup.config)
    return await solve_problem(setup, task, out=options.out, resume=options.resume, on_event=options.on_event)


solve = blocking(solve_async)


def solve_setup(options: SolveOptions) -> Setup:
    """The team and the configuration of a search, checked.

    Raises:
        ConfigError: names the option, its value and the remedy.
    """
    given = {
        "seed": options.seed,
        "selection.rule": options.select,
        "rollout.max_nodes": options.budget,
        "rollout.expansions_in_flight": options.parallel,
        "stopping.solved": None if options.keep_going else 1,
    }
    where_given = {
        "guidance.reward_model": options.reward_model,
        "budget.tokens": options.tokens,
        "budget.seconds": options.seconds,
        "budget.cost": options.cost,
    }
    given |= {key: value for key, value in where_given.items() if value is not None}
    strategy = options.strategy
    search = parse_strategy(strategy) if isinstance(strategy, str) else dict(strategy)
    setup = find_team(options.agents, options.config, options.run)
    given |= longest_answer(setup.config, options.max_tokens)
    return setup.changed({"training": None, "search": search}, given | dict(options.settings or {}))


@job
async def solve_problem(
    setup: Setup,
    problem: Problem,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    on_event: Listener = nobody,
) -> Solution:
    """`solve_async` for options that are checked and a problem that is loaded."""
    if resume and out is None:
        raise ConfigError("resume: needs the folder of the interrupted search; give it as out")
    started = time.monotonic()
    config, folder = setup.config, None if out is None else Path(out)
    tree = Tree(f"solve/{problem.id}", problem.id)
    models = await load_models(config, trained=setup.trained, hear=on_event)
    with ExitStack() as stack:
        store, hear = None, on_event
        if folder is not None:
            store = stack.enter_context(_open_store(config, problem, folder, resume=resume))
            if (stored := store.tree(tree.tree_id)) is not None:
                tree = stored.tree
            hear = Recorder(store, [on_event]).hear
            hear(Note("run_started", {"name": f"solve {problem.id}", "commit": commit(), "seed": config.seed}))
            store.save_problem(problem)
        team = await load_team(config, models)
        try:
            hear(Opened(tree, "solve", 0))
            num_nodes = {"num_nodes": config.rollout.max_nodes, "num_done": len(tree)}
            hear(Note("search_started", {"problem": problem.id, **num_nodes}))
            solution = await search(
                build.build_grower(config, team, judge_hidden=False),
                problem,
                tree,
                selection=config.selection,
                weigher=build.weigher_of_answers(config, team),
                lockstep=config.rollout.lockstep,
                on_event=hear,
            )
        finally:
            await team.close()
        hear(Finished(tree, "solve", 0))
        solution = replace(solution, wall_s=time.monotonic() - started, folder=folder)
        hear(Note("run_finished", {"wall_s": solution.wall_s}))
        if store is not None and folder is not None:
            solution = replace(solution, report=write_report(folder, store))
    return solution


@job
async def search(
    grower: TreeGrower,
    problem: Problem,
    tree: Tree,
    *,
    selection: SelectionConfig,
    weigher: Guide | None = None,
    lockstep: bool = False,
    on_event: Listener = nobody,
) -> Solution:
    """Grow `tree`, choose its answer, and judge that by the hidden tests.

    Whoever solves a problem calls this. Cancellation ends every call and judgement of this search.

    Args:
        weigher: the reward model that has a part in the choice; None: none has.
    """
    started = time.monotonic()
    (growth,) = await grow_trees([Job(tree, problem, grower)], trees_in_flight=1, lockstep=lockstep, hear=on_event)
    answer = await choose(tree, problem, grower.sandbox, selection=selection, seed=grower.seed, guide=weigher)
    hidden = None
    if answer.node_id is not None and problem.hidden_tests:
        hidden = await grower.sandbox.judge(tree.nodes[answer.node_id].program, problem.hidden)
    return Solution(
        problem=problem.id,
        node_id=answer.node_id,
        why=answer.why,
        hidden=hidden,
        tree=tree,
        stop_reason=growth.stop_reason,
        error=growth.error,
        wall_s=time.monotonic() - started,
    )


def _open_store(config: RunConfig, problem: Problem, folder: Path, *, resume: bool) -> RunStore:
    """The store of a new search, or of the one to go on with.

    Raises:
        ConfigError: the interrupted search was of another problem, team or strategy.
    """
    if not (resume and build.has_store(folder)):
        return build.create_store(folder, config)
    store = build.open_store(folder, read_only=False)
    differing = changed_keys(parse_config(dict(store.config)), config, "solve")
    stored = store.problem(problem.id)
    if stored is not None and stored != replace(problem, metadata=stored.metadata):
        differing.append("problem")
    if differing:
        store.close()
        raise ConfigError(f"{differing[0]}: differs from the search in {folder}; use its settings, or another folder")
    return store
