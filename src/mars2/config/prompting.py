"""How agents are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mars2.config.values import NonNegativeInt, PositiveInt, Section


class ChatPromptingConfig(Section):
    """Prompts for instruction and reasoning models."""

    style: Literal["chat"]
    feedback_tests: NonNegativeInt = 2
    feedback_chars: PositiveInt = 2000


class LabPromptingConfig(Section):
    """Terse prompts for the lab's tiny policies."""

    style: Literal["lab"]


PromptingConfig = Annotated[ChatPromptingConfig | LabPromptingConfig, Field(discriminator="style")]
