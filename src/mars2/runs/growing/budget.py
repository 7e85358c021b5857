"""What a tree may spend. The highest cost a call can have is reserved before it, so no budget is exceeded."""

from __future__ import annotations

from collections.abc import Mapping

from mars2.config.growing import BudgetConfig
from mars2.core.completion import Completion, Prompt
from mars2.core.protocols import CountsTokens
from mars2.core.tree import Tree
from mars2.runs.growing.team import Agent

CHAT_TEMPLATE_TOKENS = 64
"""Reserved per message, and once more per prompt, for what a chat template adds."""


class Ledger:
    """Tokens and money of one tree: spent by its nodes, and reserved for its pending expansions."""

    def __init__(self, budget: BudgetConfig, agents: Mapping[str, Agent]) -> None:
        self._budget = budget
        self._agents = agents
        self._tokens = 0
        self._cost = 0.0
        self._reserved: dict[int, tuple[int, float]] = {}  # expansion id → tokens, cost

    @property
    def is_limited(self) -> bool:
        return self._budget.tokens is not None or self._budget.cost is not None

    def refusal(self, agent: str, prompt: Prompt) -> str | None:
        """Why a generation cannot be afforded beside what is spent and reserved; None if it can."""
        tokens, cost = self._most(agent, prompt)
        tokens += self._tokens + sum(t for t, _ in self._reserved.values())
        cost += self._cost + sum(c for _, c in self._reserved.values())
        is_first = not (self._tokens or self._reserved)
        if self._budget.tokens is not None and tokens > self._budget.tokens:
            return f"token budget too small: one call may take {tokens}" if is_first else "token budget spent"
        if self._budget.cost is not None and cost > self._budget.cost:
            return f"cost budget too small: one call may cost {cost:.3g}" if is_first else "cost budget spent"
        return None

    def reserve(self, expansion_id: int, agent: str, prompt: Prompt) -> None:
        if self.is_limited:
            self._reserved[expansion_id] = self._most(agent, prompt)

    def settle(self, expansion_id: int, completion: Completion | None) -> None:
        """Replace what was reserved by what was spent; None: the expansion was cancelled."""
        self._reserved.pop(expansion_id, None)
        if completion is not None:
            self._tokens += completion.prompt_tokens + completion.output_tokens
            self._cost += completion.cost

    def load(self, tree: Tree) -> None:
        """Count the nodes of a tree that is gone on with."""
        for node in tree:
            self.settle(node.expansion_id, node.completion)

    def _most(self, agent: str, prompt: Prompt) -> tuple[int, float]:
        """The most that one generation can take: tokens, cost."""
        settings = self._agents[agent]
        num_prompt, num_output = prompt_tokens_at_most(settings, prompt), settings.sampling.max_tokens
        price = settings.price
        return num_prompt + num_output, price.cost(num_prompt, num_output) if price else 0.0


def prompt_tokens_at_most(agent: Agent, prompt: Prompt) -> int:
    """Exact where the backend can count; else a bound: a token stands for at least one byte of UTF-8."""
    if isinstance(agent.backend, CountsTokens):
        return agent.backend.count_tokens(prompt)
    num_bytes = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in prompt)
    return num_bytes + CHAT_TEMPLATE_TOKENS * (len(prompt) + 1)
