"""Reads options from plain data: YAML, ``--set`` texts and values given in Python; explains mistakes in one line.

The only file here that knows pydantic.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from mars2.config.run import RunConfig
from mars2.config.search import SearchConfig, parse_strategy
from mars2.config.values import Section, is_mapping
from mars2.core.errors import ConfigError
from mars2.core.explain import Place, explain
from mars2.recipes import Recipe, all_recipes

Options = TypeVar("Options", bound=Section)


def load_config(path: Path, overrides: Sequence[str] = (), changes: Mapping[str, Any] | None = None) -> RunConfig:
    """`parse_config` of the YAML file `path`, or of the recipe of that name."""
    return parse_config(read_yaml(path), overrides, changes)


def parse_config(
    data: Mapping[str, Any], overrides: Sequence[str] = (), changes: Mapping[str, Any] | None = None
) -> RunConfig:
    """Check the configuration of a run given as a mapping (a saved run's, say). `data` is left as it is.

    Args:
        overrides: texts such as ``training.steps=10``, as users write them; what follows the sign is YAML.
        changes: dotted key → value, given by code; a value is taken as it is. Overrides win.

    Raises:
        ConfigError: one line naming field, value and remedy.
    """
    return _checked(RunConfig, RunConfig.spelled_out(_changed(data, overrides, changes or {})))


def parse_as(
    kind: type[Options],
    data: Mapping[str, Any],
    overrides: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> Options:
    """`parse_config` for other kinds of configuration."""
    return _checked(kind, _changed(data, overrides, changes or {}))


def parse_search(text: str) -> SearchConfig:
    """The search strategy that a text such as ``ab_mcts:posterior=gaussian`` names (see `parse_strategy`).

    Raises:
        ConfigError: there is no such strategy, or it has no such setting.
    """
    return _checked(_SearchSection, {"search": parse_strategy(text)}).search


@dataclass(frozen=True, slots=True, kw_only=True)
class _SearchSection(Section):
    search: SearchConfig


def _checked(kind: type[Options], data: dict[str, Any]) -> Options:
    try:
        return _adapter(kind).validate_python(data)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        found = explain(mistakes, data, lambda place: _valid_names(place, kind), whole="config")
        raise ConfigError(found.line + more) from None


@cache
def _adapter(kind: type[Options]) -> TypeAdapter[Options]:
    return TypeAdapter(kind)


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
    return cast("dict[str, Any]", data)


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


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Dotted key → value of texts such as ``training.steps=10``; what follows the sign is YAML. A later one wins.

    Raises:
        ConfigError: a text is not KEY=VALUE, or its value is not YAML.
    """
    found: dict[str, Any] = {}
    for given in texts or ():
        key, sign, text = given.partition("=")
        key = key.strip()
        if not sign or not key:
            raise ConfigError(f"--set: expected KEY=VALUE, got {given!r}; for example --set training.steps=10")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {key}: the value is not YAML: {text!r}; quote it") from None
        found.pop(key, None)  # settings are applied in the order in which they were given
        found[key] = value
    return found


def _changed(data: Mapping[str, Any], overrides: Sequence[str], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `data` with changes, then overrides applied."""
    result = _copied(data)
    for settings in (changes, parse_settings(overrides)):
        for key, value in settings.items():
            _put(result, key, value)
    return result


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    """Sections copied; the values in them are not changed."""
    return {key: _copied(value) if is_mapping(value) else value for key, value in data.items()}


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.b.c`` in place; sections that are missing are made. A path is written as files write it."""
    *parents, last = key.split(".")
    place = data
    for name in parents:
        inside = place.get(name)
        if isinstance(inside, Section):
            inside = inside.as_dict()  # an object given by code; its fields can be set like others
        elif inside is None:
            inside = {}
        if not isinstance(inside, dict):
            raise ConfigError(f"{key}: {name!r} holds a value, not a section; set it directly")
        place[name] = inside
        place = cast("dict[str, Any]", inside)
    place[last] = str(value) if isinstance(value, Path) else value


def _valid_names(place: Place, kind: type[Any]) -> list[str]:
    """Names of the options of the section at `place`."""
    kinds: list[Any] = [kind]
    for part in place:
        step: list[Any] = []
        for kind in kinds:
            if is_dataclass(kind):
                hints = get_type_hints(kind, include_extras=True)
                if part in hints:
                    step += _alternatives(hints[str(part)])
                elif any(part in get_args(hint) for hint in hints.values()):
                    step.append(kind)  # `part` is this section's union tag
            elif get_origin(kind) is dict:
                step += _alternatives(get_args(kind)[1])
        kinds = step
    return [field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)]


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, through Annotated and None."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for member in get_args(annotation) for a in _alternatives(member)]
    return [annotation]
