"""Per-policy buffers: order, batches, staleness."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mars2.core.sample import TrainingSample
from mars2.runs.training.buffer import PolicyBuffer

SAMPLE = TrainingSample("t/0", "t", 0, "a", "p", 0, (1,), (2,), (0.0,), 1.0, 1.0, 0.5)


def sample(i: int, version: int = 0) -> TrainingSample:
    return replace(SAMPLE, key=f"t/{i}", policy_version=version)


def test_a_batch_is_the_oldest_samples_in_order() -> None:
    buffer = PolicyBuffer("p", batch_samples=2, max_staleness=0)
    buffer.add(sample(i) for i in range(5))
    assert [s.key for s in buffer.batch()] == [s.key for s in buffer.batch()] == ["t/0", "t/1"]
    buffer.remove(buffer.batch())
    assert [s.key for s in buffer.batch()] == ["t/2", "t/3"]
    buffer.remove(buffer.batch())
    assert not buffer.is_full
    with pytest.raises(ValueError, match="holds 1 of 2"):
        buffer.batch()


def test_samples_of_another_policy_are_refused() -> None:
    with pytest.raises(ValueError, match="buffer of 'q' was given a sample of 'p'"):
        PolicyBuffer("q", batch_samples=1, max_staleness=0).add([SAMPLE])


def test_staleness_counts_versions() -> None:
    buffer = PolicyBuffer("p", batch_samples=1, max_staleness=1)
    buffer.add([sample(0, 3), sample(1, 4), sample(2, 5)])
    assert [s.key for s in buffer.drop_stale(5)] == ["t/0"]
    assert [s.key for s in buffer.samples] == ["t/1", "t/2"]


@given(
    versions=st.lists(st.integers(0, 6), max_size=40),
    batch=st.integers(1, 5),
    staleness=st.integers(0, 3),
    now=st.integers(0, 8),
)
def test_no_sample_is_lost_or_doubled(versions: list[int], batch: int, staleness: int, now: int) -> None:
    buffer = PolicyBuffer("p", batch_samples=batch, max_staleness=staleness)
    buffer.add(sample(i, v) for i, v in enumerate(versions))
    seen = [s.key for s in buffer.drop_stale(now)]
    while buffer.is_full:
        taken = buffer.batch()
        buffer.remove(taken)
        assert all(now - s.policy_version <= staleness for s in taken)
        seen += [s.key for s in taken]
    seen += [s.key for s in buffer.samples]
    assert sorted(seen) == sorted(f"t/{i}" for i in range(len(versions)))
