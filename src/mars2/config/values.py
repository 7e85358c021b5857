"""Kinds of values that options have, and the base of every section of options."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _can_be_reached(url: str) -> str:
    """Refuses an address that a socket would refuse: its port, or its host."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError("host or port is missing")
        parts.hostname.encode("idna")
    except ValueError as error:
        message = "it is no address ({why}); write http://HOST:PORT/v1"
        raise PydanticCustomError("address", message, {"why": str(error)}) from None
    return url


PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
HttpUrl = Annotated[  # no user, password or query: a run keeps its settings
    str, Field(pattern=r"^https?://[^\s@?#]+$"), AfterValidator(_can_be_reached)
]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Section(BaseModel):
    """A group of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
