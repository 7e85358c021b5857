"""Before and after, from the run's evaluation events: values, intervals, gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mars2.core.statistics import paired_gain_ci
from mars2.reports.names import MEASURES
from mars2.reports.reading import EventLike


def evaluation_table(events: Sequence[EventLike], summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rows of the results table; None if the run has not been evaluated.

    Each row: who ("" for the team), measure, first and last {"value", "ci"} (either may be None), gain, gain_ci.
    The first evaluation is the one labelled "before", else the earliest; the last is "after", else the latest one.
    """
    payloads = {event.payload.get("label", ""): event.payload for event in events if event.kind == "evaluation"}
    if not payloads:
        payloads = _from_summary(summary)
    if not payloads:
        return None
    labels = list(payloads)
    first = "before" if "before" in payloads else labels[0]
    last = "after" if "after" in payloads else labels[-1]
    shown = [first] if first == last else [first, last]
    before, after = payloads[first], payloads[last] if len(shown) == 2 else {}
    agents = list(dict.fromkeys([*before.get("agents", {}), *after.get("agents", {})]))
    rows: list[dict[str, Any]] = []
    for who in [*agents, ""]:
        for measure, title in MEASURES.items():
            old, new = _cell(before, who, measure), _cell(after, who, measure)
            if old or new:
                gain, gain_ci = _gain(before, after, summary, who, measure)
                rows.append(
                    {"who": who, "measure": title, "before": old, "after": new, "gain": gain, "gain_ci": gain_ci}
                )
    return {
        "labels": shown,
        "rows": rows,
        "n_problems": before.get("n_problems"),
        "budget": before.get("budget"),
        "others": [label for label in labels if label not in shown],
    }


def _side(payload: Mapping[str, Any], who: str) -> Mapping[str, Any]:
    side = payload.get("agents", {}).get(who) if who else payload.get("team")
    return side or {}


def _cell(payload: Mapping[str, Any], who: str, measure: str) -> dict[str, Any] | None:
    side = _side(payload, who)
    if side.get(measure) is None:
        return None
    return {"value": side[measure], "ci": interval(side, measure)}


def interval(scores: Mapping[str, Any], measure: str) -> list[float] | None:
    """The 95% interval of a measure; None if there is none. Runs of version 0.1 store that of Pass@1 as ``ci95``."""
    return scores.get(f"{measure}_ci95", scores.get("ci95") if measure == "pass_at_1" else None)


def _gain(
    before: Mapping[str, Any], after: Mapping[str, Any], summary: Mapping[str, Any], who: str, measure: str
) -> tuple[float | None, list[float] | None]:
    """Difference and its paired interval: from per-problem values if both sides have them, else the summary's."""
    old, new = _side(before, who).get(measure), _side(after, who).get(measure)
    if old is None or new is None:
        return None, None
    pairs = [_side(payload.get("per_problem", {}), who).get(measure) for payload in (before, after)]
    if pairs[0] and pairs[1] and len(pairs[0]) == len(pairs[1]):
        both = [(b, a) for b, a in zip(*pairs, strict=True) if b is not None and a is not None]
        gain = paired_gain_ci([b for b, _ in both], [a for _, a in both])
        return gain.mean, [gain.lo, gain.hi]
    if measure == "pass_at_1":
        return new - old, _side(summary, who).get("gain_ci95")
    return new - old, None


def _from_summary(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The same payloads, rebuilt from `summary.json`, for a run that has no events of an evaluation."""
    payloads: dict[str, dict[str, Any]] = {}
    for label in ("before", "after"):
        agents = {name: entry[label] for name, entry in summary.get("agents", {}).items() if label in entry}
        team = summary.get("team", {}).get(label, {})
        if agents or team:
            facts = {name: summary.get(name) for name in ("n_problems", "budget")}
            payloads[label] = {"agents": agents, "team": team, **facts}
    return payloads
