"""New weights wait for answers under way without a time limit, and only as long as the engine lives."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from mars2.backends import vllm_engine
from mars2.core.errors import BackendError


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_engine, "_LOOK_S", 0.01)


async def test_it_waits_longer_than_a_swap_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_engine, "_SWAP_TIMEOUT_S", 0.02)
    await vllm_engine._unless_it_dies(SimpleNamespace(errored=False), asyncio.sleep(0.2))


async def test_an_engine_that_dies_ends_the_wait() -> None:
    engine = SimpleNamespace(errored=False)
    forever = asyncio.get_running_loop().create_future()

    async def drained() -> None:
        await forever

    waiting = asyncio.create_task(vllm_engine._unless_it_dies(engine, drained()))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    engine.errored = True
    with pytest.raises(BackendError, match="died while requests were under way"):
        await waiting
    await asyncio.sleep(0)
    assert forever.cancelled()


async def test_what_the_engine_raises_is_raised() -> None:
    async def refused() -> None:
        raise ValueError("no such mode")

    with pytest.raises(ValueError, match="no such mode"):
        await vllm_engine._unless_it_dies(SimpleNamespace(errored=False), refused())
