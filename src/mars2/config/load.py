"""Reads a configuration file, applies ``--set`` overrides and explains mistakes in one line."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from mars2.config.run import RunConfig
from mars2.core.errors import ConfigError
from mars2.recipes import Recipe, all_recipes


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read `path` (YAML) and apply overrides such as ``training.steps=10``.

    Raises:
        ConfigError: one line naming field, value and remedy.
    """
    return parse_config(read_yaml(path), overrides)


def parse_config(data: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """Check a configuration given as a mapping (a saved run's, say), with overrides applied."""
    return parse_as(RunConfig, data, overrides)


Model = TypeVar("Model", bound=BaseModel)


def parse_as(model: type[Model], data: dict[str, Any], overrides: Sequence[str] = ()) -> Model:
    """`parse_config` for any kind of configuration. `data` is left as it is."""
    data = deepcopy(data)
    for override in overrides:
        _apply(data, override)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(error, data, model)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a configuration file, or of the recipe of that name; not checked yet."""
    if not path.is_file():
        path = find_recipe(str(path)).path
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"config: {path} is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"config: {where} is not YAML: {problem}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"config: {path} must hold keys and values, got {type(data).__name__}")
    return data


def find_recipe(name: str) -> Recipe:
    """The recipe of that name; there is no file of that name.

    Raises:
        ConfigError: one line with the nearest recipe or file.
    """
    recipes = all_recipes()
    if name in recipes:
        return recipes[name]
    path = Path(name)
    files = [str(path.with_name(file.name)) for file in path.parent.glob("*.y*ml")]
    near = difflib.get_close_matches(name, [*recipes, *files]) or difflib.get_close_matches(path.stem, recipes)
    hint = f"did you mean {near[0]}?" if near else f"give a YAML file or one of {', '.join(recipes)}"
    raise ConfigError(f"config: no such file or recipe: {name}; {hint}")


def _apply(data: dict[str, Any], override: str) -> None:
    """Set ``a.b.c=value`` in place; the value is read as YAML."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set: expected KEY=VALUE, got {override!r}; for example --set training.steps=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: the value is not YAML: {text!r}; quote it") from None
    *parents, last = key.strip().split(".")
    place = data
    for name in parents:
        if place.get(name) is None:
            place[name] = {}
        place = place[name]
        if not isinstance(place, dict):
            raise ConfigError(f"--set {key}: {name!r} holds a value, not a section; set it directly")
    place[last] = value


UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
"""Pydantic's name for it in a model, and in a dataclass."""


def _explain(error: ValidationError, data: dict[str, Any], model: type[BaseModel]) -> str:
    """The first mistake, in one line; unknown keys first, since they often cause the others."""
    mistakes = sorted(error.errors(), key=lambda e: e["type"] not in UNKNOWN_KEY)
    first = mistakes[0]
    path = _path_in_data(first["loc"], data)
    value = first["input"]
    context = first.get("ctx", {})
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    match first["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            names = _valid_names(first["loc"], model)
            near = difflib.get_close_matches(str(first["loc"][-1]), names, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"valid keys here: {', '.join(names)}"
            return f"{path}: unknown key; {remedy}{more}"
        case "missing":
            return f"{path}: missing; add it{more}"
        case "value_error":
            return str(context.get("error", first["msg"])) + more
        case "union_tag_not_found":
            return f"{path}: {context['discriminator']} is missing; add it{more}"
        case "union_tag_invalid":
            path = f"{path}.{context['discriminator'].strip(chr(39))}"
            return f"{path} must be one of {context['expected_tags']}, got {context['tag']!r}{more}"
        case _:
            message = first["msg"][0].lower() + first["msg"][1:]
            return f"{path}: got {value!r}; {message}{more}"


def _path_in_data(loc: tuple[int | str, ...], data: Any) -> str:
    """The dotted key as the user wrote it: pydantic's `loc` less the tags of unions."""
    names: list[str] = []
    place = data
    for i, part in enumerate(loc):
        is_last = i == len(loc) - 1
        if isinstance(place, dict) and (part in place or is_last):
            names.append(str(part))
            place = place.get(part)
        elif isinstance(place, list) and isinstance(part, int) and part < len(place):
            names.append(str(part))
            place = place[part]
    return ".".join(names)


def _valid_names(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Field names of the section in which `loc` ends."""
    kinds: list[Any] = [model]
    for part in loc[:-1]:
        step: list[Any] = []
        for kind in kinds:
            if options := _options(kind):
                if part in options:
                    step += _alternatives(options[str(part)])
                elif any(part in get_args(annotation) for annotation in options.values()):
                    step.append(kind)  # `part` is this section's union tag
            elif get_origin(kind) is dict:
                step += _alternatives(get_args(kind)[1])
        kinds = step
    return [name for kind in kinds for name in _options(kind)]


def _options(section: Any) -> dict[str, Any]:
    """Name → type of each option of a section; {} of anything else."""
    if isinstance(section, type) and issubclass(section, BaseModel):
        return {name: field.annotation for name, field in section.model_fields.items()}
    return get_type_hints(section) if dataclasses.is_dataclass(section) else {}


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, through Annotated and None."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for member in get_args(annotation) for a in _alternatives(member)]
    return [annotation]
