"""Where problems come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mars2.config.values import NonNegativeInt, OneOf, PositiveInt, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class LabProblemsConfig(Section):
    """The generated task family for CPU-scale science (`mars2.lab`)."""

    kind: Literal["lab"] = "lab"
    num_train: PositiveInt = 4000
    num_test: PositiveInt = 200
    seed: NonNegativeInt = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceProblemsConfig(Section):
    """Problems named by a reference: a file, a folder, `humaneval`, `mbpp:FILE`."""

    kind: Literal["reference"] = "reference"
    train: str | None = None
    test: str


ProblemsConfig = Annotated[LabProblemsConfig | ReferenceProblemsConfig, OneOf("kind")]
