"""``--set KEY=VALUE``: the one place where a text becomes a typed value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from mars2.core.errors import ConfigError


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Dotted keys → values, which are read as YAML; a later one wins.

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
        found.pop(key, None)
        found[key] = value
    return found
