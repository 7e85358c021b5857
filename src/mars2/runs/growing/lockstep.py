"""A barrier that makes many trees advance in waves, in a fixed order, so that batches, hence results, repeat exactly.

Without it, which requests share a batch depends on how long each program took to judge; batched floating-point sums
differ in their last bits with the batch's make-up, and one flipped token makes another run.
"""

from __future__ import annotations

import asyncio


class Lockstep:
    """`num_members` slots; each `arrive`s before every wave, and the last one releases all, in order of their index."""

    def __init__(self, num_members: int) -> None:
        self._num_members = num_members
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def arrive(self, member: int) -> None:
        """Wait until every member still in the wave has arrived."""
        future = self._waiting[member] = asyncio.get_running_loop().create_future()
        self._release_if_complete()
        await future

    def leave(self) -> None:
        """A member has no more work; the others no longer wait for it."""
        self._num_members -= 1
        self._release_if_complete()

    def _release_if_complete(self) -> None:
        if len(self._waiting) < self._num_members:
            return
        waiting, self._waiting = self._waiting, {}
        # Not at once: a member that awaits what is done already does not wait, so the last to arrive would go on first.
        asyncio.get_running_loop().call_soon(_release, waiting)


def _release(waiting: dict[int, asyncio.Future[None]]) -> None:
    for member in sorted(waiting):
        if not waiting[member].done():
            waiting[member].set_result(None)
