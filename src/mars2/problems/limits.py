"""Limits as files write them: the fields, defaults and bounds are those of `core.problem.Limits`, read by pydantic."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from mars2.core.problem import Limits

LIMIT_NAMES = tuple(field.name for field in fields(Limits))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_HINTS = get_type_hints(Limits, include_extras=True)
_GIVEN: dict[str, Any] = {field.name: (_HINTS[field.name], field.default) for field in fields(Limits)}
_Model = create_model("_Model", __base__=_Strict, **_GIVEN)


class _FromData:
    """Has pydantic check a mapping by `_Model` and make `Limits` of it."""

    @staticmethod
    def __get_pydantic_core_schema__(_: Any, handler: Any) -> dict[str, Any]:
        """What pydantic asks of an annotation; it takes plain data."""
        make = {"type": "no-info", "function": lambda given: Limits(**dict(given))}  # pyright: ignore
        return {"type": "function-after", "function": make, "schema": handler.generate_schema(_Model)}


GivenLimits = Annotated[Limits, _FromData]
"""The type of a field of a pydantic model that holds the limits of a test."""
