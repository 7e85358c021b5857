"""Everything the page shows of a run except its trees: facts, configuration, curves, alarms."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mars2.reports.comparison import comparison_data
from mars2.reports.evaluations import evaluation_table
from mars2.reports.names import BY_KIND
from mars2.reports.reading import EventLike, MetricLike, RunReader

MAX_POINTS = 500  # per curve; more cannot be told apart on a screen


def run_data(folder: Path, run: RunReader, trees: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`trees`: as `tree_data.trees_data` gives them; they also tell which agent uses which policy."""
    events, metrics, summary = run.events(), run.metrics(), read_summary(folder)
    name = _payload(events, "run_started").get("name") or run.config.get("name") or folder.resolve().name
    return {
        "name": str(name),
        "state": run_state(events),
        "facts": _facts(run, events, metrics, summary),
        "config": flatten(run.config),
        "evaluation": evaluation_table(events, summary),
        "comparison": comparison_data(events),
        "curves": curve_groups(metrics),
        "alarms": [
            {"time": _clock(e.time_s), "text": str(e.payload.get("text", ""))} for e in events if e.kind == "alarm"
        ],
        **_who(run, events, metrics, trees),
    }


def read_summary(folder: Path) -> dict[str, Any]:
    """`summary.json` of the run; {} if there is none, or if it cannot be read."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def run_state(events: Sequence[EventLike]) -> str:
    """finished, interrupted or "in progress", by the last event that tells."""
    going_on = dict.fromkeys(("run_started", "resumed", "training_started", "evaluation_started"), "in progress")
    states = {"run_finished": "finished", "interrupted": "interrupted", **going_on}
    return next((states[e.kind] for e in reversed(events) if e.kind in states), "in progress")


def flatten(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys and their values as text, as one would write them after `--set`."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return rows


def curve_groups(metrics: Iterable[MetricLike]) -> list[dict[str, Any]]:
    """One group per kind of scope (agent, policy, run, then unknown ones), one chart per name, one line per scope."""
    lines: dict[str, dict[str, dict[str, list[MetricLike]]]] = {kind: {} for kind in BY_KIND}
    for row in metrics:
        kind, _, owner = row.scope.partition("/")
        lines.setdefault(kind, {}).setdefault(row.name, {}).setdefault(owner, []).append(row)
    groups: list[dict[str, Any]] = []
    for kind, charts in lines.items():
        names = BY_KIND.get(kind, {})
        ordered = [name for name in names if name in charts] + [name for name in charts if name not in names]
        if ordered:
            groups.append({"kind": kind, "charts": [_chart(name, names, charts[name]) for name in ordered]})
    return groups


def _chart(name: str, names: Mapping[str, tuple[str, str]], lines: Mapping[str, list[MetricLike]]) -> dict[str, Any]:
    title, meaning = names.get(name, (name, ""))
    return {
        "name": name,
        "title": title,
        "meaning": meaning,
        "lines": [{"owner": owner, "points": thin(rows)} for owner, rows in lines.items()],
    }


def thin(rows: Sequence[MetricLike], max_points: int = MAX_POINTS) -> list[tuple[int, float, float | None]]:
    """(step, wall_s, value) of each row, or means of neighbours where there are more than `max_points`."""
    width = max(1, math.ceil(len(rows) / max_points))
    points: list[tuple[int, float, float | None]] = []
    for start in range(0, len(rows), width):
        block = rows[start : start + width]
        values = [row.value for row in block if math.isfinite(row.value)]
        points.append((block[-1].step, block[-1].wall_s, math.fsum(values) / len(values) if values else None))
    return points


def _facts(
    run: RunReader, events: Sequence[EventLike], metrics: Sequence[MetricLike], summary: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """The line under the title: date, work done, and how to reproduce the run, as far as known."""
    started, finished = _payload(events, "run_started"), _payload(events, "run_finished")
    known = {**finished, **summary}
    wall_s = known.get("wall_s") or max((row.wall_s for row in metrics), default=None)
    counts = run.tree_counts()
    rounds = max((row.step for row in metrics), default=None)
    planned = (run.config.get("training") or {}).get("steps") if rounds is not None else None
    commit = known.get("commit") or started.get("commit")
    seed = run.config.get("seed", started.get("seed"))
    facts = {
        "started": datetime.fromtimestamp(run.created_s).strftime("%Y-%m-%d %H:%M"),
        "wall time": None if wall_s is None else _duration(float(wall_s)),
        "steps": f"{rounds} of {planned}" if planned and run_state(events) != "finished" else rounds,
        "trees": f"{sum(counts.values()):,}" if counts else None,
        "seed": seed,
        "peak memory": f"{known['peak_mib']:,.0f} MiB" if known.get("peak_mib") else None,
        "commit": str(commit)[:12] if commit else None,
        "tree hash": str(known["tree_hash"])[:16] if known.get("tree_hash") else None,
    }
    return [(name, str(value)) for name, value in facts.items() if value is not None]


def _payload(events: Sequence[EventLike], kind: str) -> Mapping[str, Any]:
    """Of the last event of a kind; {} if there is none."""
    return next((event.payload for event in reversed(events) if event.kind == kind), {})


def _who(
    run: RunReader, events: Sequence[EventLike], metrics: Sequence[MetricLike], trees: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Agents and policies in a fixed order, so that each keeps its colour; and the agent of policies with only one."""
    configured = run.config.get("agents") or {}
    names = list(configured) if isinstance(configured, Mapping) else []
    names += [agent for e in events if e.kind == "evaluation" for agent in e.payload.get("agents", {})]
    names += [row.scope.removeprefix("agent/") for row in metrics if row.scope.startswith("agent/")]
    names += [node["agent"] for tree in trees for node in tree["nodes"]]
    users: dict[str, set[str]] = {}
    for tree in trees:
        for node in tree["nodes"]:
            users.setdefault(node["policy"], set()).add(node["agent"])
    if isinstance(configured, Mapping):
        for agent, settings in configured.items():
            if isinstance(settings, Mapping) and settings.get("policy"):
                users.setdefault(settings["policy"], set()).add(agent)
    policies = [row.scope.removeprefix("policy/") for row in metrics if row.scope.startswith("policy/")]
    return {
        "agents": list(dict.fromkeys(names)),
        "policies": list(dict.fromkeys([*users, *policies])),
        "agent_of_policy": {policy: next(iter(agents)) for policy, agents in users.items() if len(agents) == 1},
    }


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).strftime("%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
