"""From the options of an objective to its loss; the only place that names every loss."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from mars2.config.objective import CispoObjectiveConfig, ClipObjectiveConfig, ObjectiveConfig
from mars2.learners.losses.cispo import cispo
from mars2.learners.losses.clip import clip
from mars2.learners.losses.seam import Loss


def choose_loss(options: ObjectiveConfig) -> Loss:
    """The loss that `options` are of, with them filled in."""
    match options:
        case ClipObjectiveConfig():
            return partial(clip, options=options)
        case CispoObjectiveConfig():
            return partial(cispo, options=options)
        case _:
            assert_never(options)
