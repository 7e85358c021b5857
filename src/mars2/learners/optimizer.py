"""What every training of weights here has in common: AdamW, and the error of one that has diverged."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mars2.core.errors import Mars2Error


class TrainingDiverged(Mars2Error):
    """Several updates in a row had a loss or gradient that is not finite."""


def make_adamw(
    parameters: Sequence[torch.nn.Parameter], *, learning_rate: float, betas: tuple[float, float], weight_decay: float
) -> torch.optim.AdamW:
    """AdamW (arXiv:1711.05101) that decays matrices only, not biases and norms."""
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=learning_rate,
        betas=betas,
        fused=True,
    )
