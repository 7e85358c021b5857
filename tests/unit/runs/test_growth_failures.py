"""Backends that misbehave in every way seen so far: growth completes or says why not, and failures are counted."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from team_of_scripts import HALF, NOTHING, PROBLEM, RIGHT, WRONG, grower, scripted
from virtual_time import SlowBackend, run_virtually

from mars2.backends.scripted import ScriptedBackend
from mars2.config.growing import RetryConfig
from mars2.config.search import AbMctsConfig
from mars2.core.completion import Completion, Prompt, Sampling
from mars2.core.errors import BackendError, ConfigError
from mars2.core.events import Finished, Opened
from mars2.core.protocols import Search
from mars2.core.serial import tree_hash
from mars2.core.tree import Tree
from mars2.reports import write_report
from mars2.runs.growing.grow_tree import MAX_CANCELLED_IN_A_ROW, Growth
from mars2.runs.growing.rollout import Job, grow_trees
from mars2.runs.recorder import Recorder
from mars2.search.ab_mcts import AbMcts
from mars2.search.best_of_n import BestOfN
from mars2.search.depth_guided import DepthGuided
from mars2.search.mcts import Mcts
from mars2.search.refine_best import RefineBest
from mars2.search.selection import choose_answer
from mars2.search.sequential import Sequential
from mars2.store.run_store import RunStore

ANSWERS = [RIGHT, HALF, WRONG, NOTHING]
MEGABYTE = 1_000_000
SURROGATES = "```python\ndef f(x):\n    return '\ud800' and x + 1\n```\n\udfff"


class Hanging(ScriptedBackend):
    """Never answers about a third of the calls."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        if (sampling.seed or 0) % 3 == 0:
            await asyncio.sleep(1e9)
        return await super().generate(prompt, sampling)


class Unbounded(ScriptedBackend):
    """Says what it likes, however long, and gives no token ids: as a server might."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        await asyncio.sleep(1)
        return Completion(self.rules[0].answers[0], "stop", "a", 0)


def unbounded(*answers: str) -> ScriptedBackend:
    return Unbounded("a", scripted("a", ("", list(answers))).rules)


BAD: dict[str, Callable[[], ScriptedBackend]] = {
    "fails 30% of calls": lambda: SlowBackend("a", ANSWERS, fail=0.3),
    "times out": lambda: Hanging("a", scripted("a", ("", ANSWERS)).rules),
    "empty text": lambda: unbounded(""),
    "no code": lambda: unbounded(NOTHING),
    "1 MB of text": lambda: unbounded("x" * MEGABYTE),
    "1 MB of code": lambda: unbounded("```python\n" + "x = 1\n" * (MEGABYTE // 6) + "```"),
    "1 MB of opened fences": lambda: unbounded("```python\n" * (MEGABYTE // 10)),
    "lone surrogates": lambda: unbounded(SURROGATES),
    "always the same program": lambda: unbounded(HALF),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_growth_completes_is_stored_and_reported(make: Callable[[], ScriptedBackend], tmp_path: Path) -> None:
    backend = make()
    max_nodes = 2 if len(backend.rules[0].answers[0]) > MEGABYTE // 2 else 12
    team = grower(
        backend,
        expansions_in_flight=3,
        max_nodes=max_nodes,
        retries=RetryConfig(max_retries=4, retry_backoff_s=0.5, call_timeout_s=60),
    )
    trees = [Tree(f"solve/t{i}", PROBLEM.id) for i in range(2)]
    with RunStore.create(tmp_path, config={"name": "x"}) as store:
        recorder = Recorder(store)
        store.save_problem(PROBLEM)
        for tree in trees:
            recorder.hear(Opened(tree, "solve", 0))
        jobs = [Job(tree, PROBLEM, team) for tree in trees]
        growths = run_virtually(grow_trees(jobs, trees_in_flight=2, lockstep=False, hear=recorder.hear))
        for tree in trees:
            recorder.hear(Finished(tree, "solve", 0))
        stored = [s.tree for s in store.trees(finished_only=True)]
        assert tree_hash(stored) == tree_hash(trees)
        report = write_report(tmp_path, store)
        report.read_text(encoding="utf-8")
    assert [len(t) for t in trees] == [max_nodes] * 2
    assert [g.stop_reason for g in growths] == ["budget spent"] * 2
    is_failing = type(team.agents["a"].backend) in {SlowBackend, Hanging}
    for growth, back in zip(growths, stored, strict=True):
        assert (growth.num_failed_calls > 0) is is_failing
        assert back.nodes == growth.tree.nodes
        assert sorted(back.failures, key=lambda f: f.expansion_id) == sorted(
            growth.tree.failures, key=lambda f: f.expansion_id
        )
        choose_answer(growth.tree)


def grow(team: Any) -> Growth:
    return run_virtually(team.grow(Tree("t", PROBLEM.id), PROBLEM))


class Refused(ScriptedBackend):
    """Asking again cannot help, say because of a wrong key."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        await asyncio.sleep(1)
        raise ConfigError("the key is refused")


def test_several_errors_at_once_are_one_error_and_leave_nothing_behind() -> None:
    left: list[dict[str, Any]] = []

    async def grow_and_look() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context))
        team = grower(Refused("a", []), expansions_in_flight=4)
        with pytest.raises(ConfigError, match="the key is refused"):
            await team.grow(Tree("t", PROBLEM.id), PROBLEM)
        gc.collect()

    run_virtually(grow_and_look())
    assert left == []


STRATEGIES: dict[str, Callable[[list[str]], Search]] = {
    "ab_mcts": AbMcts,
    "ab_mcts-stack": lambda agents: AbMcts(agents, AbMctsConfig(order="stack")),
    "depth_guided": DepthGuided,
    "best_of_n": BestOfN,
    "refine_best": RefineBest,
    "sequential": Sequential,
    "mcts": Mcts,
}


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize("in_flight", [1, 5])
def test_where_one_of_two_backends_is_dead_the_other_goes_on(make: Callable[..., Search], in_flight: int) -> None:
    alive, dead = SlowBackend("a", [HALF, WRONG]), SlowBackend("b", [HALF], fail=1.0)
    growth = grow(grower(alive, dead, new_search=lambda: make(["a", "b"]), expansions_in_flight=in_flight))
    assert (len(growth.tree), growth.error) == (8, None)
    assert growth.lost_agents == {"b": "the script says to fail"}
    assert {n.agent for n in growth.tree} == {"a"}
    assert growth.tree.num_cancelled <= MAX_CANCELLED_IN_A_ROW + in_flight


def test_an_agent_that_was_given_up_is_not_asked_again_after_a_resume() -> None:
    cut = grow(grower(SlowBackend("a", [HALF, WRONG]), SlowBackend("b", [HALF], fail=1.0), max_nodes=8))
    assert set(cut.lost_agents) == {"b"}
    tree, asked = Tree("t", PROBLEM.id), SlowBackend("b", [HALF])
    tree.restore(
        cut.tree.nodes,
        next_expansion_id=cut.tree.next_expansion_id,
        num_cancelled=cut.tree.num_cancelled,
        failures=cut.tree.failures,
    )
    growth = run_virtually(grower(SlowBackend("a", [HALF, WRONG]), asked, max_nodes=16).grow(tree, PROBLEM))
    assert (len(tree), set(growth.lost_agents), asked.calls) == (16, {"b"}, [])


def test_all_backends_dead_ends_with_an_error() -> None:
    growth = grow(grower(SlowBackend("a", [HALF], fail=1.0), SlowBackend("b", [HALF], fail=1.0)))
    assert growth.stop_reason == "the model keeps failing"
    assert growth.error == "the script says to fail"
    assert set(growth.lost_agents) == {"a", "b"}
    assert len(growth.tree) == 0


def test_a_strategy_of_fixed_agents_ends_with_an_error() -> None:
    class Fixed(BestOfN):
        def remove_agent(self, agent: str) -> None:
            from mars2.core.errors import ConfigError

            raise ConfigError("agents are fixed")

    growth = grow(
        grower(SlowBackend("a", [HALF]), SlowBackend("b", [HALF], fail=1.0), new_search=lambda: Fixed(["a", "b"]))
    )
    assert growth.stop_reason == "the model keeps failing"
    assert growth.lost_agents == {"b": "the script says to fail"}


def test_retries_wait_longer_each_time_and_never_longer_than_a_minute() -> None:
    class Dead(SlowBackend):
        times: list[float] = []  # noqa: RUF012

        async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
            self.times.append(asyncio.get_running_loop().time())
            raise BackendError("down")

    dead = Dead("a", [HALF])
    retries = RetryConfig(max_retries=9, retry_backoff_s=1.0)
    team = grower(dead, retries=retries, max_nodes=1)
    grow(team)
    first = dead.times[:10]
    waits = [after - before for before, after in pairwise(first)]
    longest = [min(2.0**k, 60.0) for k in range(9)]
    assert all(0.5 * most <= wait <= most for wait, most in zip(waits, longest, strict=True)), waits
    assert len({round(w / m, 6) for w, m in zip(waits, longest, strict=True)}) == 9, "no jitter"
    again = Dead("a", [HALF])
    again.times = []
    grow(grower(again, retries=retries, max_nodes=1))
    assert again.times == dead.times, "the jitter comes from the seed"


def test_a_waiting_retry_holds_no_slot() -> None:
    from mars2.runs.growing.slots import Slots

    class FirstFails(SlowBackend):
        async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
            if not self.calls:
                self.calls.append((prompt, 0))
                raise BackendError("busy")
            return await super().generate(prompt, sampling)

    async def work() -> float:
        team = grower(
            FirstFails("a", [HALF]),
            slots=Slots({"a": 1}),
            retries=RetryConfig(retry_backoff_s=60.0),
            expansions_in_flight=2,
            max_nodes=2,
            order="arrival",
        )
        tree = Tree("t", PROBLEM.id)
        await team.grow(tree, PROBLEM)
        return tree.nodes[0].elapsed_s

    assert run_virtually(work()) < 30, "the second expansion waited for the first one's retry"


def test_a_prompt_that_a_backend_cannot_encode_is_a_failed_call() -> None:
    class Strict(ScriptedBackend):
        async def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
            "\udfff".encode()
            raise AssertionError

    growth = grow(grower(Strict("a", scripted("a", ("", [RIGHT])).rules)))
    assert growth.stop_reason == "the model keeps failing"
    assert "cannot be encoded" in (growth.error or "")
