"""Decides which tree's request a backend serves next. A slot is idle only if no tree needs it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from mars2.core.tree import Tree


class Slots:
    """Request slots of every policy's backend, shared by all trees.

    A free slot goes to the waiting tree that is least far: fewest nodes and requests under way together; the one that
    came first on ties; within a tree, to its oldest request. So no tree starves, trees held up by a slow request catch
    up, and all come to their end together, which keeps slots busy to the last. Choices are not made here: what a tree
    asks for never depends on when it is served.
    """

    def __init__(self, concurrency: Mapping[str, int | None]) -> None:
        """`concurrency`: policy → slots; None or absent: as many as there are requests."""
        self._concurrency = dict(concurrency)
        self._under_way: Counter[str] = Counter()  # policy → requests
        self._of_tree: Counter[str] = Counter()  # tree id → requests under way, whatever their policy
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}  # policy → tree id → requests
        self._trees: dict[str, Tree] = {}  # that have waiting requests

    @asynccontextmanager
    async def slot(self, policy: str, tree: Tree) -> AsyncGenerator[None, None]:
        """Hold a slot of `policy` for the length of one request of `tree`."""
        await self._acquire(policy, tree)
        try:
            yield
        finally:
            self._release(policy, tree.tree_id)

    async def _acquire(self, policy: str, tree: Tree) -> None:
        future = asyncio.get_running_loop().create_future()
        queues = self._waiting.setdefault(policy, {})
        queues.setdefault(tree.tree_id, deque()).append(future)
        self._trees[tree.tree_id] = tree
        self._grant(policy)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # granted in the same tick
                self._release(policy, tree.tree_id)
            raise

    def _release(self, policy: str, tree_id: str) -> None:
        self._under_way[policy] -= 1
        self._of_tree[tree_id] -= 1
        if not self._of_tree[tree_id]:
            del self._of_tree[tree_id]
        self._grant(policy)

    def _grant(self, policy: str) -> None:
        """Give out free slots."""
        queues = self._waiting[policy]
        limit = self._concurrency.get(policy)
        while queues and (limit is None or self._under_way[policy] < limit):
            tree_id = min(queues, key=lambda t: len(self._trees[t]) + self._of_tree[t])
            future = queues[tree_id].popleft()
            if not queues[tree_id]:
                del queues[tree_id]
                if not any(tree_id in others for others in self._waiting.values()):
                    del self._trees[tree_id]
            if not future.done():  # cancelled while it waited
                self._under_way[policy] += 1
                self._of_tree[tree_id] += 1
                future.set_result(None)
