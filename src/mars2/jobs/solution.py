"""What solving one problem brought: the chosen program, the tree it comes from, and what both took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mars2.core.tree import Tree
from mars2.core.usage import Usage, usage_by_agent
from mars2.core.verdict import Verdict
from mars2.jobs import display


@dataclass(frozen=True)
class Solution:
    """A problem's answer. In a notebook it shows itself with its tree."""

    problem: str  # its id
    node_id: int | None  # the chosen node of `tree`; None: no program was written
    why: str  # this program
    hidden: Verdict | None  # judged once, after the answer was chosen; None: no hidden tests, or no program
    tree: Tree
    stop_reason: str
    error: str | None  # the last failed call's, if the search ended with it
    wall_s: float
    folder: Path | None = None  # of the recorded run; None: nothing was kept on disk
    report: Path | None = None  # its HTML page

    @property
    def program(self) -> str | None:
        return None if self.node_id is None else self.tree.nodes[self.node_id].program

    @property
    def agent(self) -> str | None:
        """Who wrote the program."""
        return None if self.node_id is None else self.tree.nodes[self.node_id].agent

    @property
    def public(self) -> Verdict | None:
        """What the public tests said of the program."""
        return None if self.node_id is None else self.tree.nodes[self.node_id].public_verdict

    @cached_property
    def usage(self) -> Mapping[str, Usage]:
        """Agent → calls, tokens and money."""
        return usage_by_agent([self.tree])

    @property
    def num_failed_calls(self) -> int:
        return sum(failure.num_calls for failure in self.tree.failures)

    @property
    def lost_agents(self) -> dict[str, str]:
        """Agents that kept failing and were given up → their last error."""
        return {failure.agent: failure.error for failure in self.tree.failures if failure.is_last}

    @property
    def prompt_tokens(self) -> int:
        return sum(used.prompt_tokens for used in self.usage.values())

    @property
    def output_tokens(self) -> int:
        return sum(used.output_tokens for used in self.usage.values())

    @property
    def cost(self) -> float:
        return sum(node.completion.cost for node in self.tree)

    def to_dict(self) -> dict[str, Any]:
        """As `mars2 solve --json` prints it."""
        return {
            "problem": self.problem,
            "program": self.program,
            "agent": self.agent,
            "node": self.node_id,
            "chosen_because": self.why,
            "public": None if self.public is None else _verdict(self.public),
            "hidden": None if self.hidden is None else _verdict(self.hidden),
            "num_nodes": len(self.tree),
            "stop": self.stop_reason,
            "error": self.error,
            "failed_calls": self.num_failed_calls,
            "lost_agents": self.lost_agents,
            "agents": {name: asdict(used) for name, used in self.usage.items()},
            "prompt_tokens": self.prompt_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
            "wall_s": round(self.wall_s, 1),
            "run": None if self.folder is None else str(self.folder),
            "tree": None if self.report is None else str(self.report),
        }

    def __repr__(self) -> str:
        found = "no program" if self.public is None else f"public {display.verdict_line(self.public)}"
        hidden = "" if self.hidden is None else f"; hidden {display.verdict_line(self.hidden)}"
        return f"<Solution of {self.problem}: {found}{hidden}; {len(self.tree)} programs written, {self.stop_reason}>"

    def _repr_html_(self) -> str:
        shown = {
            "problem": self.problem,
            "public tests": None if self.public is None else display.verdict_line(self.public),
            "hidden tests": None if self.hidden is None else display.verdict_line(self.hidden),
            "written by": self.agent,
            "chosen because": self.why,
            "stopped because": self.stop_reason,
            "error": self.error,
            "report": self.report,
        }
        used = (
            (name, u.num_nodes, u.prompt_tokens, u.output_tokens, f"{u.cost:.4g}") for name, u in self.usage.items()
        )
        return (
            f"{display.facts(shown)}{display.code(self.program) if self.program is not None else ''}"
            f"{display.tree_svg(self.tree, self.node_id)}"
            f"{display.table(used, ('agent', 'programs', 'tokens in', 'tokens out', 'cost'))}"
        )


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.status.value,
        "passed": verdict.num_passed,
        "total": len(verdict.tests),
        "tier": verdict.tier,
    }
