"""Mistakes in given data are explained in the same words, wherever the data comes from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mars2.core.explain import HALF_CHARACTER, explain


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Circle(Strict):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0, lt=9)]


class Square(Strict):
    kind: Literal["square"]
    side: Annotated[float, Field(ge=0, le=9)]


class Drawing(Strict):
    title: Annotated[str, Field(min_length=1)]
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = []
    points: Annotated[tuple[int, ...], Field(min_length=1, strict=False)] = (1,)
    colour: Literal["red", "blue"] = "red"


def line(data: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate(data)
    found = explain(caught.value.errors(include_url=False), data, lambda _: Drawing.model_fields, whole="drawing")
    assert found.line.startswith(found.field or "drawing")
    assert "\n" not in found.line
    return found.line


def shape(**fields: Any) -> dict[str, Any]:
    return {"title": "t", "shapes": [{"kind": "circle", "radius": 1.0}, fields]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "title: missing; add it"),
        ({"titel": "t"}, 'titel: unknown key; did you mean "title"?'),  # although `title` is missing
        ({"title": "t", "zzz": 1}, "zzz: unknown key; use one of title, shapes, points, colour"),
        ({"title": "t", "a b": 1}, "'a b': unknown key; use one of title, shapes, points, colour"),
        ({"title": 5}, "title: must be text, got 5; put it in quotes"),
        ({"title": ""}, "title: must not be empty, got ''"),
        ({"title": "\ud800"}, rf"title: '\ud800' {HALF_CHARACTER}"),
        ({"title": "t", "colour": "green"}, "colour: must be one of 'red' or 'blue', got 'green'"),
        ({"title": "t", "shapes": 5}, "shapes: must be a list, got 5"),
        ({"title": "t", "points": []}, "points: must hold at least 1, got []"),
        (5, "drawing: must be a mapping with title, shapes, points, colour, got 5"),
        (shape(kind="circle", radius=0.0), "shapes[1].radius: must be > 0, got 0.0"),
        (shape(kind="circle", radius=9.0), "shapes[1].radius: must be < 9, got 9.0"),
        (shape(kind="square", side=-1.0), "shapes[1].side: must be >= 0, got -1.0"),
        (shape(kind="square", side=10.0), "shapes[1].side: must be <= 9, got 10.0"),
        (shape(kind="square"), "shapes[1].side: missing; add it"),
        (shape(kind="star"), "shapes[1].kind: must be one of 'circle', 'square', got 'star'"),
        (shape(radius=1.0), "shapes[1].kind: missing; add it"),
        ({"title": ["x" * 100]}, f"title: must be text, got ['{'x' * 57}…; put it in quotes"),
        ({"title": 10**5000}, "title: must be text, got a int; put it in quotes"),
    ],
)
def test_a_mistake_names_field_value_and_remedy_in_one_line(data: Any, said: str) -> None:
    assert line(data) == said
