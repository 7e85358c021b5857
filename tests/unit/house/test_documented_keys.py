"""Configuration keys that the pages show exist in the configuration."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml
from source_tree import ROOT

from mars2.config.run import RunConfig

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
SECTIONS = "|".join(get_type_hints(RunConfig))
NOT_KEYS = ("md", "py", "csv", "judge", "KEY")  # `sandbox.md`, `sandbox.judge`, `policies.NAME.KEY`


def below(kind: Any, key: str) -> list[Any]:
    """The types that `key` can have below a value of type `kind`; nothing where no such key exists."""
    origin = get_origin(kind)
    if origin is Annotated:
        return below(get_args(kind)[0], key)
    if origin in (Union, types.UnionType):
        return [found for member in get_args(kind) for found in below(member, key)]
    if origin in (dict, Mapping):
        return [get_args(kind)[1]]
    hints = get_type_hints(kind, include_extras=True) if isinstance(kind, type) and kind not in (str, int) else {}
    return [hints[key]] if key in hints else [Any] if kind is Any or kind is dict else []


def exists(path: str) -> bool:
    kinds: list[Any] = [RunConfig]
    for key in path.split("."):
        kinds = [found for kind in kinds for found in below(kind, key)]
    return bool(kinds)


def shown(text: str) -> Iterator[str]:
    """`section.key` in code within a line, `--set section.key=value`, and the keys of YAML blocks."""
    for code in re.findall(r"`([^`\n]+)`", text):
        yield from re.findall(rf"^((?:{SECTIONS})(?:\.\w+)+)(?=$|[:= ])", code)
    yield from re.findall(rf"--set '?((?:{SECTIONS})(?:\.\w+)+)=", text)
    for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL):
        for part in [block] if is_mapping(block) else block.splitlines():
            yield from (path for path in paths(yaml.safe_load(part)) if path.split(".")[0] in SECTIONS.split("|"))


def is_mapping(block: str) -> bool:
    """Not several alternatives, one a line."""
    keys = re.findall(r"^(\w+):", block, flags=re.MULTILINE)
    return len(keys) == len(set(keys))


def paths(data: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{prefix}{key}"
            yield from paths(value, f"{prefix}{key}.")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_key_that_is_shown_exists(page: Path) -> None:
    keys = {key for key in shown(page.read_text(encoding="utf-8")) if key.rsplit(".", 1)[-1] not in NOT_KEYS}
    assert sorted(key for key in keys if not exists(key)) == []


def test_keys_are_found_and_wrong_ones_are_noticed() -> None:
    text = "`training.steps`, `policies.NAME.price`, `--set search.gamma=1`, `rollout.nothing: 3`"
    text += "\n```yaml\nstopping: {x: 1}\n```"
    assert [(key, exists(key)) for key in shown(text)] == [
        ("training.steps", True),
        ("policies.NAME.price", True),
        ("rollout.nothing", False),
        ("search.gamma", True),
        ("stopping", True),
        ("stopping.x", False),
    ]
