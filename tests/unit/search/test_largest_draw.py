"""The largest of very many Beta draws, found without all of them, against draws of all: the same winners and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from search_trees import grow, new_tree

from mars2.search import largest_beta as module
from mars2.search import posteriors
from mars2.search.ab_mcts import AbMcts
from mars2.search.largest_beta import largest_beta, log_envelope
from mars2.search.posteriors import Beta, Moments
from mars2.search.strategy import rebuild

Array = NDArray[np.float64]
NUM_DRAWS = 4_000


def arms(kind: str) -> tuple[Array, Array]:
    """a and b of some arms."""
    rng = np.random.default_rng(0)
    n = rng.integers(1, 8, 200).astype(float)
    mean = rng.random(200)
    match kind:
        case "mixed":
            pass
        case "uneven":
            n[::3] = rng.integers(1, 400, len(n[::3]))
        case "new and alike":
            n[:], mean[:] = 1.0, rng.integers(0, 5, 200) / 4
        case "good":
            mean = 1 - 0.1 * rng.random(200)
        case "bad":
            n, mean = n + 20, 0.02 * rng.random(200)
        case "one best":
            n[5], mean[5] = 60.0, 0.99
        case "heavy":
            n += 100.0
        case _:
            assert kind == "few"
            n, mean = np.array([1.0, 1.0, 2.0, 5.0, 40.0]), np.array([0.0, 0.3, 0.4, 0.3, 0.35])
    return 0.5 + n * mean, 0.5 + n * (1 - mean)


def assert_alike(a: Array, b: Array, ours: list[tuple[int, float]], rng: np.random.Generator) -> None:
    """Winners by χ², values by Kolmogorov-Smirnov; each bound has p < 1e-3, and the draws are always the same."""
    all_draws = rng.beta(a, b, (len(ours), len(a)))
    expected = (all_draws.argmax(axis=1), all_draws.max(axis=1))
    winners, values = np.array([i for i, _ in ours]), np.array([x for _, x in ours])
    groups = np.argsort(np.argsort(-np.bincount(expected[0], minlength=len(a)), kind="stable"))
    groups = np.where(groups < 10, groups, 10 + np.arange(len(a)) % 5)  # the ten likeliest winners, then five lots
    counts = [np.bincount(groups[chosen], minlength=15) for chosen in (winners, expected[0])]
    chi_square = float(np.sum((counts[0] - counts[1]) ** 2 / np.maximum(counts[0] + counts[1], 1)))
    assert chi_square < 37.0, counts  # at most 14 degrees of freedom
    grid = np.sort(np.concatenate([values, expected[1]]))
    below = [np.searchsorted(np.sort(v), grid, side="right") / len(v) for v in (values, expected[1])]
    assert np.abs(below[0] - below[1]).max() < 1.95 * np.sqrt(2.0 / len(ours))


@pytest.mark.parametrize("c", [module.C, 0.7])
@pytest.mark.parametrize("kind", ["few", "mixed", "uneven", "new and alike", "good", "bad", "one best", "heavy"])
def test_largest_draw(kind: str, c: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "C", c)
    a, b = arms(kind)
    rng = np.random.default_rng(1)
    envelopes = log_envelope(a, b)
    for heavy in (module.HEAVY, 5.0, 1e9) if len(a) < 10 else (module.HEAVY,):
        ours = [largest_beta(a, b, envelopes, rng, heavy=heavy) for _ in range(NUM_DRAWS)]
        assert_alike(a, b, ours, rng)


def test_the_comparison_notices_other_draws() -> None:
    a, b = arms("mixed")
    rng = np.random.default_rng(1)
    twice = [max(((int(d.argmax()), float(d.max())) for d in rng.beta(a, b, (2, 200))), key=lambda d: d[1])
             for _ in range(NUM_DRAWS)]  # fmt: skip
    with pytest.raises(AssertionError):
        assert_alike(a, b, twice, rng)


def test_no_envelope_is_below_its_density() -> None:
    x = np.linspace(module.C, 1, 200)[1:-1]
    for a in (0.05, 0.5, 0.7, 1.0, 1.5, 8.0, 60.0):
        for b in (0.05, 0.5, 1.0, 2.5, 30.0):
            log_beta = np.sum([module.lgamma(a), module.lgamma(b), -module.lgamma(a + b)])
            log_c = log_envelope(np.array([a]), np.array([b])).item()
            assert np.all((a - 1) * np.log(x) - log_beta <= log_c + np.log(b) + 1e-12)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_arms_that_only_saw_extreme_scores(score: float) -> None:
    a, b = np.full(200, 0.5 + 3 * score), np.full(200, 3.5 - 3 * score)
    rng = np.random.default_rng(4)
    assert_alike(a, b, [largest_beta(a, b, log_envelope(a, b), rng) for _ in range(NUM_DRAWS)], rng)


def test_what_is_kept_of_an_arm_is_renewed_when_it_is_observed() -> None:
    moments, rows = Moments(), np.arange(3)
    calls: list[list[float]] = []

    def compute(n: Array, total: Array, squares: Array) -> Array:
        calls.append(n.tolist())
        return 10 * n + total

    for _ in range(20):
        moments.add_row()
    moments.observe(1, 0.5)
    assert moments.kept(rows, compute).tolist() == [0.0, 10.5, 0.0]
    moments.observe(np.array([2, 4]), 1.0)
    assert moments.kept(rows, compute).tolist() == [0.0, 10.5, 11.0]
    assert moments.kept(rows, compute).tolist() == [0.0, 10.5, 11.0]
    assert calls == [[0.0, 1.0, 0.0], [1.0]]


def test_beta_arms_drawn_this_way_are_chosen_alike() -> None:
    moments = Moments()
    rng = np.random.default_rng(5)
    for row in range(posteriors.MANY):
        moments.add_row()
        for score in rng.random(1 + row % 4):
            moments.observe(row, float(score))
    rows = np.arange(posteriors.MANY)
    a, b = Beta().parameters(*moments.many(rows)[:2])
    assert_alike(a, b, [Beta().draw_largest(moments, rows, rng) for _ in range(NUM_DRAWS)], rng)


def test_a_rebuilt_search_goes_on_alike_where_nodes_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of the arms changes no choice."""
    monkeypatch.setattr(posteriors, "MANY", 2)
    shapes: list[Any] = []
    for stop in (0, 60):
        tree, search, scores = new_tree(3), AbMcts(["a", "b"]), np.random.default_rng(3)
        grow(search, tree, stop, scores)
        if stop:
            search = AbMcts(["a", "b"])
            rebuild(search, tree)
        grow(search, tree, 120, scores)
        shapes.append([(node.parent_id, node.agent, node.score) for node in tree])
    assert shapes[0] == shapes[1]
