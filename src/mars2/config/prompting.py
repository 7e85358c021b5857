"""How agents are prompted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mars2.config.values import NonNegativeInt, OneOf, PositiveInt, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPromptingConfig(Section):
    """Prompts for instruction and reasoning models."""

    style: Literal["chat"] = "chat"
    feedback_tests: NonNegativeInt = 2
    feedback_chars: PositiveInt = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPromptingConfig(Section):
    """Terse prompts for the lab's tiny policies."""

    style: Literal["lab"] = "lab"


PromptingConfig = Annotated[ChatPromptingConfig | LabPromptingConfig, OneOf("style")]
