"""Counters of the server, in Prometheus' text format."""

from __future__ import annotations

from collections import Counter

HELP = {
    "mars2_requests_total": "Chat completion requests by HTTP status (499: the client left).",
    "mars2_programs_total": "Programs written.",
    "mars2_prompt_tokens_total": "Prompt tokens.",
    "mars2_output_tokens_total": "Output tokens.",
    "mars2_failed_calls_total": "Calls to backends that failed.",
    "mars2_search_seconds_total": "Wall seconds of finished searches.",
    "mars2_cost_total": "Cost, in the currency of the price table.",
}


class Counters:
    """Sums since the start."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()
        self.num_searching = 0

    def add(self, name: str, value: float = 1, labels: str = "") -> None:
        if name not in HELP:
            raise KeyError(name)
        self._values[name, labels] += value  # type: ignore[assignment]

    def text(self) -> str:
        lines: list[str] = []
        for name, text in HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} counter"]
            found = {labels: value for (n, labels), value in self._values.items() if n == name}
            lines += [f"{name}{labels} {value:g}" for labels, value in sorted(found.items())] or [f"{name} 0"]
        lines += ["# HELP mars2_searches Searches under way.", "# TYPE mars2_searches gauge"]
        return "\n".join([*lines, f"mars2_searches {self.num_searching}"]) + "\n"
