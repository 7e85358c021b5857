"""The live view of a run: a bar, and one line per agent and policy. Plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mars2.cli.output import say
from mars2.core.events import Event, Metrics, Note, Opened, Told
from mars2.core.foreign_text import named, printable

AGENT_COLUMNS = {
    "reward": "reward_mean",
    "pass": "pass_rate",
    "adv std": "advantage_std",
    "share": "share_of_expansions",
    "length": "response_length",
}
POLICY_COLUMNS = {
    "KL": "kl",
    "clip": "clip_fraction",
    "log-prob gap": "logprob_gap",
    "buffer": "buffer_fill",
    "version": "version",
}
VALIDATION = "validation_pass_at_1"
PLAIN_SECONDS = 10.0  # between two plain lines of a long phase


def progress_bar(console: Console) -> Progress:
    """What is done, how much of it, for how long and how long it will take; nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class LiveView:
    """Shows the run while it goes on: `hear` is a listener."""

    def __init__(self, console: Console, *, policy_of_agent: Mapping[str, str]) -> None:
        self.console = console
        self.policy_of_agent = policy_of_agent
        self.latest: dict[str, dict[str, float]] = {}
        self._bar = progress_bar(console)
        self._task = self._bar.add_task("starting", total=None)
        self._live = Live(self._render(), console=console, refresh_per_second=4) if console.is_terminal else None
        self._warm_start = warm_start_progress()
        self._num_nodes = self._num_before = 0
        self._started = time.monotonic()
        self._last_line = time.monotonic()

    def __enter__(self) -> LiveView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    # ── listening ───────────────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, event: Event) -> None:
        match event:
            case Opened():
                self._advance(len(event.tree))  # nodes of an earlier start
            case Told():
                self._advance(1)
                if self._num_nodes % 16 == 0:
                    self._refresh()
            case Metrics(step, scope, values):
                self._metrics(step, scope, values)
            case Note(kind, payload):
                self._note(kind, payload)
            case _:
                pass

    def _metrics(self, step: int, scope: str, values: Mapping[str, float]) -> None:
        self.latest.setdefault(scope, {}).update(values)
        if scope.startswith("policy/"):
            version = max(v.get("version", 0) for s, v in self.latest.items() if s.startswith("policy/"))
            self._bar.update(self._task, completed=version)
        if scope == "run":
            self._refresh()
            if VALIDATION in values:
                self._say(f"validation after round {step}: {self._validation_line()}")
            elif self._live is None:
                self._print_round(step)

    def _note(self, kind: str, payload: Mapping[str, Any]) -> None:
        match kind:
            case "evaluation_started":
                self._start(f"evaluate {payload['label']}", payload["num_nodes"], payload.get("num_done", 0))
            case "warm_start":
                self._warm_start(payload["policy"], payload["fraction"])
            case "nothing_to_resume":
                self._say(f"no run in {payload['folder']} yet: starting it")
            case "set_aside":
                self._say(f"older {payload['what']} set aside: {payload['folder']}")
            case "search_started":
                self._start(f"solve {named(payload['problem'])}", payload["num_nodes"], payload.get("num_done", 0))
            case "measured":  # what a search that stopped early did not use is done as well
                self._advance(max(0, payload["max_nodes"] - payload["num_nodes"]))
            case "training_started":
                self._start("train", payload["steps"])
            case "evaluation" if self._live is None:
                self._say(f"evaluate {payload['label']}: {_evaluation_line(payload)}")
            case "alarm":
                self._say(f"ALARM: {payload['text']}")
            case "checkpoint" if payload.get("is_best"):
                self._say(f"best validation so far: kept as checkpoint {payload['folder']}")
            case "resumed":
                self._say(f"resumed from checkpoint {payload['checkpoint']}")
            case _:
                pass

    # ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _advance(self, num_nodes: int) -> None:
        self._num_nodes += num_nodes
        what, total = self._bar.tasks[0].description, self._bar.tasks[0].total
        if not what.startswith(("evaluate", "solve")) or total is None:
            return
        self._bar.update(self._task, completed=self._num_nodes)
        if self._live is None and time.monotonic() - self._last_line > PLAIN_SECONDS:
            made = self._num_nodes - self._num_before
            left_s = (total - self._num_nodes) * (time.monotonic() - self._started) / made if made else None
            eta = "" if left_s is None else f", about {_duration(left_s)} left"
            self._say(f"  {what}: {self._num_nodes} of {total:.0f} nodes{eta}")

    def _start(self, what: str, total: int, done: int = 0) -> None:
        self._num_nodes = self._num_before = done
        self._started = time.monotonic()
        self._bar.reset(self._task, description=what, total=total, completed=done)
        if self._live is None:
            self._say(f"{what} …")

    def _say(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.console.print(printable(text), soft_wrap=True)

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._render())

    def _render(self) -> Group:
        table = Table(expand=False)
        table.add_column("agent")
        for name in (*AGENT_COLUMNS, *POLICY_COLUMNS):
            table.add_column(name, justify="right")
        for agent, policy in self.policy_of_agent.items():
            table.add_row(agent, *self._cells(f"agent/{agent}", f"policy/{policy}"))
        run = self.latest.get("run", {})
        rates = "  ".join(
            f"{_show(run.get(k))} {k.replace('_per_s', '/s')}" for k in ("problems_per_s", "tokens_per_s")
        )
        return Group(self._bar, table, rates) if self.latest else Group(self._bar)

    def _cells(self, agent_scope: str, policy_scope: str) -> list[str]:
        agent, policy = self.latest.get(agent_scope, {}), self.latest.get(policy_scope, {})
        return [
            *(_show(agent.get(name)) for name in AGENT_COLUMNS.values()),
            *(_show(policy.get(name)) for name in POLICY_COLUMNS.values()),
        ]

    def _validation_line(self) -> str:
        agents = {agent: self.latest.get(f"agent/{agent}", {}).get(VALIDATION) for agent in self.policy_of_agent}
        shown = ", ".join(f"{agent} {100 * value:.1f}" for agent, value in agents.items() if value is not None)
        return f"Pass@1 {shown}; mean {100 * self.latest['run'][VALIDATION]:.1f}"

    def _print_round(self, step: int) -> None:
        names = ["share", "pass", "adv std", "length"]
        parts: list[str] = []
        for agent, policy in self.policy_of_agent.items():
            values = self.latest.get(f"agent/{agent}", {}), self.latest.get(f"policy/{policy}", {})
            shown = " ".join(f"{n} {_show(values[0].get(AGENT_COLUMNS[n]))}" for n in names)
            learned = f"v{int(values[1].get('version', 0))} KL {_show(values[1].get('kl'))}"
            parts.append(f"{agent} {learned} {shown}")
        run = self.latest["run"]
        rates = f"{_show(run.get('problems_per_s'))} problems/s {_show(run.get('tokens_per_s'))} tokens/s"
        self._say(f"round {step} | {' | '.join(parts)} | team {_show(run.get('team_pass_rate'))} | {rates}")


def _evaluation_line(payload: Mapping[str, Any]) -> str:
    agents = ", ".join(f"{name} {100 * scores['pass_at_1']:.1f}" for name, scores in payload["agents"].items())
    team = payload["team"]
    return (
        f"Pass@1 {agents}; team Pass@1(MCTS) {100 * team['pass_at_1_mcts']:.1f}, Pass@N {100 * team['pass_at_n']:.1f}"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"


def _show(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def warm_start_progress() -> Callable[[str, float], None]:
    """Says each tenth of a lab policy's warm start."""
    shown: dict[str, int] = {}

    def progress(name: str, fraction: float) -> None:
        tenth = int(fraction * 10)
        if tenth > shown.get(name, -1):
            shown[name] = tenth
            say(f"warm start of {name}: {10 * tenth}%")

    return progress
