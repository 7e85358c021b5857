"""Where problems come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mars2.config.values import NonNegativeInt, PositiveInt, Section


class LabProblemsConfig(Section):
    """The generated task family for CPU-scale science (`mars2.lab`)."""

    kind: Literal["lab"]
    num_train: PositiveInt = 4000
    num_test: PositiveInt = 200
    seed: NonNegativeInt = 0


class ReferenceProblemsConfig(Section):
    """Problems named by a reference: a file, a folder, `humaneval`, `mbpp:FILE`."""

    kind: Literal["reference"]
    train: str | None = None
    test: str


ProblemsConfig = Annotated[LabProblemsConfig | ReferenceProblemsConfig, Field(discriminator="kind")]
