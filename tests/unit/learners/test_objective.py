from typing import Any

import pytest

from mars2.core.errors import ConfigError
from mars2.learners.objective import Objective
from mars2.learners.schedule import learning_rate_at


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("clip_low", {"clip_low": -0.1}),
        ("clip_low", {"clip_low": 1.5}),
        ("clip_high", {"clip_high": -0.1}),
        ("dual_clip", {"dual_clip": 1.0}),
        ("constant_length", {"aggregation": "constant"}),
        ("constant_length", {"aggregation": "constant", "constant_length": 0}),
        ("constant_length", {"constant_length": 100}),
        ("tis_cap", {"tis_cap": 0.0}),
        ("kl_beta", {"kl_beta": -1.0}),
    ],
)
def test_a_wrong_option_is_named(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{field}"):
        Objective(**options)


def test_warmup_then_constant() -> None:
    rates = [learning_rate_at(s, peak=4.0, warmup_steps=3) for s in range(5)]
    assert rates == [1.0, 2.0, 3.0, 4.0, 4.0]


def test_linear_falls_to_zero_and_stays() -> None:
    rates = [learning_rate_at(s, peak=4.0, warmup_steps=1, kind="linear", total_steps=5) for s in range(7)]
    assert rates == [2.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0]


def test_cosine_is_half_way_at_half_time() -> None:
    rates = [learning_rate_at(s, peak=4.0, kind="cosine", total_steps=4) for s in (0, 1, 2, 4, 9)]
    assert rates == pytest.approx([4.0, 2 + 2**0.5, 2.0, 0.0, 0.0])


@pytest.mark.parametrize("total_steps", [None, 3])
def test_a_falling_schedule_needs_its_end(total_steps: int | None) -> None:
    with pytest.raises(ConfigError, match="total_steps"):
        learning_rate_at(3, peak=1.0, warmup_steps=3, kind="linear", total_steps=total_steps)
